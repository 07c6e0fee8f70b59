package inkstone.tensor.cuda;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** Functions of each element. */
final class CudaActivations {
    private final Kernel add, scale, mul, softCap, swiglu, gelu, geglu, clampedSwiglu, leakyRelu, leakyReluGradient;
    private final Kernel scaleGradient, mulGradient, softCapGradient, swigluGradient, geluGradient, gegluGradient, clampedSwigluGradient;
    private final Map<Elementwise, Kernel> map = new EnumMap<>(Elementwise.class), mapGradient = new EnumMap<>(Elementwise.class);

    CudaActivations(Gpu gpu) {
        add = gpu.kernel("activations", "add");
        scale = gpu.kernel("activations", "scale");
        mul = gpu.kernel("activations", "mul");
        softCap = gpu.kernel("activations", "soft_cap");
        swiglu = gpu.kernel("activations", "swiglu");
        gelu = gpu.kernel("activations", "gelu");
        geglu = gpu.kernel("activations", "geglu");
        clampedSwiglu = gpu.kernel("activations", "clamped_swiglu");
        scaleGradient = gpu.kernel("activations", "scale_gradient");
        mulGradient = gpu.kernel("activations", "mul_gradient");
        softCapGradient = gpu.kernel("activations", "soft_cap_gradient");
        swigluGradient = gpu.kernel("activations", "swiglu_gradient");
        geluGradient = gpu.kernel("activations", "gelu_gradient");
        gegluGradient = gpu.kernel("activations", "geglu_gradient");
        clampedSwigluGradient = gpu.kernel("activations", "clamped_swiglu_gradient");
        leakyRelu = gpu.kernel("activations", "leaky_relu");
        leakyReluGradient = gpu.kernel("activations", "leaky_relu_gradient");
        for (var function : Elementwise.values()) {
            var name = "map_" + function.name().toLowerCase(Locale.ROOT);
            map.put(function, gpu.kernel("activations", name));
            mapGradient.put(function, gpu.kernel("activations", name + "_gradient"));
        }
    }

    void add(Tensor y, Tensor a, Tensor b) { Elements.launch(add.with(y).with(a).with(b), y); }

    void scale(Tensor y, Tensor x, float factor) { Elements.launch(scale.with(y).with(x).with(factor), y); }

    void softCap(Tensor y, Tensor x, float cap) { Elements.launch(softCap.with(y).with(x).with(cap), y); }

    void swiglu(Tensor y, Tensor gate, Tensor up) { Elements.launch(swiglu.with(y).with(gate).with(up), y); }

    void gelu(Tensor y, Tensor x) { Elements.launch(gelu.with(y).with(x), y); }

    void geglu(Tensor y, Tensor gate, Tensor up) { Elements.launch(geglu.with(y).with(gate).with(up), y); }

    void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) {
        Elements.launch(clampedSwiglu.with(y).with(gate).with(up).with(alpha).with(limit), y);
    }

    void map(Tensor y, Tensor x, Elementwise function) { Elements.launch(map.get(function).with(y).with(x), y); }

    void mul(Tensor y, Tensor a, Tensor b) { Elements.launch(mul.with(y).with(a).with(b), y); }

    void scaleGradient(Tensor dx, Tensor dy, float factor) { Elements.launch(scaleGradient.with(dx).with(dy).with(factor), dy); }

    void softCapGradient(Tensor dx, Tensor dy, Tensor y, float cap) { Elements.launch(softCapGradient.with(dx).with(dy).with(y).with(cap), dy); }

    void swigluGradient(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        Elements.launch(swigluGradient.with(dGate).with(dUp).with(dy).with(gate).with(up), dy);
    }

    void geluGradient(Tensor dx, Tensor dy, Tensor x) { Elements.launch(geluGradient.with(dx).with(dy).with(x), dy); }

    void gegluGradient(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        Elements.launch(gegluGradient.with(dGate).with(dUp).with(dy).with(gate).with(up), dy);
    }

    void clampedSwigluGradient(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {
        Elements.launch(clampedSwigluGradient.with(dGate).with(dUp).with(dy).with(gate).with(up).with(alpha).with(limit), dy);
    }

    void mapGradient(Tensor dx, Tensor dy, Tensor x, Elementwise function) { Elements.launch(mapGradient.get(function).with(dx).with(dy).with(x), dy); }

    void mulGradient(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) { Elements.launch(mulGradient.with(da).with(db).with(dy).with(a).with(b), dy); }

    void leakyRelu(Tensor y, Tensor x, float slope) { Elements.launch(leakyRelu.with(y).with(x).with(slope), y); }

    void leakyReluGradient(Tensor dx, Tensor dy, Tensor x, float slope) { Elements.launch(leakyReluGradient.with(dx).with(dy).with(x).with(slope), dy); }
}

package inkstone.web;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.microsoft.playwright.Browser;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The page's modules that hold logic, each imported alone in a browser. */
@ExtendWith(Chromium.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ModulesTest {
    @TempDir private static Path folder;
    private TinyStudio studio;
    private Visit visit;

    @BeforeAll void open(Browser browser) throws Exception {
        studio = TinyStudio.start(TinyModel.write(folder));
        visit = Visit.withoutMotion(browser, studio.url());
    }

    @AfterAll void close() {
        visit.close();
        studio.close();
    }

    @Test void anEventStreamMayBeCutAnywhere() {
        assertEquals(List.of("a", "b\nc", "", "[DONE]"), visit.js("""
            const { EventParser } = await import("/js/api.js");
            const text = 'data: a\\r\\n\\r\\n: ping\\n\\nevent: x\\ndata: b\\ndata:c\\r\\rdata:\\n\\nid: 7\\n\\ndata: [DONE]\\r\\n\\r\\n';
            const read = pieces => { const parser = new EventParser(); return pieces.flatMap(piece => parser.push(piece)); };
            const whole = read([text]);
            for (let cut = 0; cut <= text.length; cut++) {
              const events = read([text.slice(0, cut), text.slice(cut)]);
              if (events.join("|") !== whole.join("|")) throw new Error(`cut at ${cut}: ${JSON.stringify(events)}`);
            }
            if (read([...text]).join("|") !== whole.join("|")) throw new Error("character by character");
            return whole;"""));
    }

    @Test void aCurveForgetsWhatARunDoesAgain() {
        assertEquals(List.of("1,2,3,4", "2", "1,2,3,3.5", "2:2.5,4:2.2", "2", "0,1,2,3", "0.01,0.02,0.05,0.1,0.2"), visit.js("""
            const { Curve, ticks, logTicks } = await import("/js/curve.js");
            const curve = new Curve(), step = (step, loss) => curve.take({ type: "step", step, loss }), evaluation = (step, loss) => curve.take({ type: "evaluation", step, loss });
            for (const each of [1, 2, 3, 4]) step(each, each);
            step(3, 9);
            evaluation(2, 2);
            evaluation(4, 5);
            const first = [curve.steps.map(each => each.step).join(), String(curve.best.step)];
            curve.take({ type: "started", fromStep: 3 });
            step(4, 3.5);
            evaluation(4, 2.2);
            curve.evaluations[0].loss = 2.5;
            evaluation(4, 2.2);
            return [...first, curve.steps.map(each => each.loss).join(), curve.evaluations.map(each => `${each.step}:${each.loss}`).join(), String(curve.rows().length), ticks(0, 3).join(), logTicks(0.01, 0.2).join()];"""));
    }

    @Test void valuesOfAGridAreListsRangesAndLines() {
        assertEquals(List.of("1|2|4", "1|2|3", "2|4.5|7", "0|0.1|0.2|0.3", "red apple, 3d|a pear", "euler|heun", "x..y", "5..1", "64", "6"), visit.js("""
            const { pictures, valuesOf } = await import("/js/grid.js");
            const of = (parameter, text) => valuesOf(parameter, text).join("|");
            return [of("steps", "1, 2,4"), of("seed", "1..3"), of("guidance", "2 .. 8 / 2.5"), of("rescale", "0..0.3/0.1"), of("prompt", "red apple, 3d\\n\\n a pear "), of("sampler", "euler, heun"), of("steps", "x..y"), of("seed", "5..1"),
              String(valuesOf("seed", "1..1000").length), String(pictures({ x: { values: [1, 2] }, y: { values: [1, 2, 3] } }))];"""));
    }

    @Test void anOrderForAPictureIsNoQuestion() {
        assertEquals(List.of("a red apple", "a\nb", "none", "none", "none", "user: hello"), visit.js("""
            const t = await import("/js/conversation.js");
            let chat = t.create(), id;
            [chat, id] = t.add(chat, 0, { role: "user", text: "/paint a red apple", paint: true });
            [chat, id] = t.add(chat, id, { role: "assistant", text: "", state: "done", paint: true, job: "0123456789abcdef", pictures: ["0123456789abcdef"] });
            [chat, id] = t.add(chat, id, { role: "user", text: "hello" });
            [chat, id] = t.add(chat, id, { role: "assistant", text: "" });
            return [...["/paint a red apple", " /paint a\\nb ", "/paint", "paint it", "see /paint x"].map(text => t.orderIn(text) ?? "none"), t.prompt(t.accept(chat), id).map(m => `${m.role}: ${m.content}`).join()];"""));
    }

    @Test void editingAndAskingAgainMakeBranches() {
        assertEquals(Map.of("path", List.of("Q2", "A3"), "first", List.of("Q", "A"), "versions", 2, "count", 6, "branches", true, "before", false), visit.js("""
            const t = await import("/js/conversation.js");
            const add = (chat, parent, role, text) => t.add(chat, parent, { role, text, state: "done" });
            const texts = chat => t.path(chat).map(m => m.text);
            let [chat, q] = add(t.create(), 0, "user", "Q"), a, q2;
            [chat, a] = add(chat, q, "assistant", "A");
            const before = t.hasBranches(chat);
            [chat, q2] = add(chat, 0, "user", "Q2");
            [chat] = add(chat, q2, "assistant", "A2");
            [chat, a] = add(chat, q2, "assistant", "A3");
            [chat] = add(t.choose(chat, q), q, "assistant", "A again");
            const back = t.choose(t.choose(chat, q), t.children(chat, q)[0].id);
            return { path: texts(t.choose(back, q2)), first: texts(back), versions: t.versions(chat, a).ids.length, count: chat.messages.length, branches: t.hasBranches(chat), before };"""));
    }

    @Test void whatWasRemovedComesBackWhereItWas() {
        assertEquals(List.of("1,2,3,4,5", "1,5", "1,2,3,4,5", "1,5"), visit.js("""
            const t = await import("/js/conversation.js");
            let chat = t.create(), ids = chat => chat.messages.map(m => m.id).join();
            for (const parent of [0, 1, 2, 3, 1]) [chat] = t.add(chat, parent, { role: parent % 2 ? "assistant" : "user", text: "x" });
            const [less, removed] = t.remove(chat, 2);
            const [none] = t.remove(less, 1);
            return [ids(chat), ids(less), ids(t.restore(less, removed)), ids(t.restore(none, removed)) || ids(less)];"""));
    }

    @Test void theModelGetsInstructionsAndTheBranchBeforeTheAnswer() {
        assertEquals(List.of("system: be brief", "user: one\n\ntwo", "assistant: so far"), visit.js("""
            const t = await import("/js/conversation.js");
            let chat = { ...t.create(), settings: { system: " be brief " } }, id;
            [chat, id] = t.add(chat, 0, { role: "user", text: "one" });
            [chat] = t.add(chat, 0, { role: "user", text: "another branch" });
            [chat, id] = t.add(chat, id, { role: "assistant", text: "", state: "failed" });
            [chat, id] = t.add(chat, id, { role: "user", text: "two" });
            [chat, id] = t.add(chat, id, { role: "assistant", text: "so far", state: "stopped" });
            return t.prompt(chat, id).map(m => `${m.role}: ${m.content}`);"""));
    }

    @Test void aTitleIsTheFirstLineCutAtAWord() {
        assertEquals(List.of("New chat", "Hello", "Given", "Why are attention scores divided by the square root of the…"), visit.js("""
            const t = await import("/js/conversation.js");
            const asked = text => t.add(t.create(), 0, { role: "user", text })[0];
            return [t.create(), asked("  Hello\\nthere"), { ...asked("Hello"), title: "Given" },
              asked("Why are attention scores divided by the square root of the head size?")].map(t.titleOf);"""));
    }

    @Test void onlyChatsOfAKnownShapeAreOpened() {
        assertEquals(List.of("newer", "no", "no", "no", "no", "no", "no", "no", "stopped"), visit.js("""
            const t = await import("/js/conversation.js");
            const [chat] = t.add(t.create(), 0, { role: "assistant", text: "half", state: "writing" }), [m] = chat.messages;
            const open = value => { try { return t.accept(value).messages[0].state; } catch (error) { return error.message.includes("newer") ? "newer" : "no"; } };
            return [{ ...chat, version: 99 }, null, "x", { ...chat, messages: {} }, { ...chat, messages: [{ ...m, parent: 7 }] }, { ...chat, messages: [m, m] },
              { ...chat, messages: [{ ...m, facts: { rate: "fast" } }] }, { ...chat, settings: { system: 1 } }, chat].map(open);"""));
    }

    @Test void aFullStorageIsSaidAndANewerEntryLeftAlone() {
        assertEquals(List.of(true, false, 1, "{\"version\":99}"), visit.js("""
            const [{ Library }, t] = [await import("/js/library.js"), await import("/js/conversation.js")];
            let room = 1000;
            class Storage { setItem(key, text) { if (text.length > room) throw new DOMException("full", "QuotaExceededError"); this[key] = text; } getItem(key) { return this[key] ?? null; } }
            const storage = new Storage();
            storage.setItem("inkstone.chat.new", '{"version":99}');
            const chat = t.create(), library = new Library(storage);
            library.put(chat);
            const first = library.save(chat.id);
            room = 10;
            return [first, library.save(chat.id), new Library(storage).list().length, storage.getItem("inkstone.chat.new")];"""));
    }

    @Test void settingsKeepOnlyWhatIsNotTheDefault() {
        assertEquals(List.of("{\"seed\":0}", "{\"seed\":0,\"temperature\":0}", "{\"seed\":0}", "{}", "16,24,32,48,64,96,100,128,192,200"), visit.js("""
            const { changed, lengths } = await import("/js/settings.js");
            const defaults = { temperature: 0.8 }, seen = [];
            let settings = changed({}, defaults, "seed", 0);
            seen.push(settings);
            seen.push(settings = changed(settings, defaults, "temperature", 0));
            seen.push(settings = changed(settings, defaults, "temperature", 0.8));
            seen.push(changed(settings, defaults, "seed", undefined));
            return [...seen.map(s => JSON.stringify(s)), lengths(200, 100).join()];"""));
    }

    @Test void textThatGrowsEndsAsTheSameTextAtOnce() {
        assertEquals(Map.of("same", true, "kept", true), visit.js("""
            await import("/js/prose.js");
            const text = "# Title\\n\\nSome *text* with `code`\\nand a [link][1].\\n\\n- one\\n- two\\n\\n  more of two\\n- three\\n\\n1. a\\n\\n2. b\\n\\n```java\\nint x = 1; // <b>\\n\\n"
              + "int y;\\n```\\n\\n| a | b |\\n|--:|---|\\n| 1 | 2 |\\n\\n> quote\\nlazy\\n\\nSetext\\n======\\n\\nEnd.\\r\\n\\r\\n***\\n\\nlast\\n\\n[1]: https://example.org/\\n";
            const show = (prose, length, state) => { prose.message = { text: text.slice(0, length), state }; };
            const grown = document.createElement("ink-prose"), once = document.createElement("ink-prose");
            document.body.append(grown, once);
            let first;
            for (let length = 0; length <= text.length; length++) {
              show(grown, length, "writing");
              if (length === 60) first = grown.firstElementChild;
            }
            const kept = first === grown.firstElementChild;
            show(grown, text.length, "done");
            show(once, text.length, "done");
            const same = grown.innerHTML.replace(/<!--.*?-->/g, "") === once.innerHTML.replace(/<!--.*?-->/g, "");
            grown.remove(); once.remove();
            return { same, kept };"""));
    }

    @Test void markdownCannotScriptStyleOrLoadAnything() {
        assertEquals(Map.of("tags", "", "attributes", "", "links", "https://ok.example/,mailto:a@b.example", "pwned", "no"), visit.js("""
            const { blocksOf, elementOf } = await import("/js/markdown.js");
            const text = ["<img src=x onerror=pwned()>", "<script>pwned()</script>", "a <svg onload=pwned()> b", "<iframe src=//evil.example></iframe>", "<style>*{display:none}</style>",
              "<p style='color:red' onclick=pwned()>x</p>", "<a href='javascript:pwned()'>x</a>", "[x](javascript:pwned())", "[x](JaVaScRiPt:pwned())", "[x](data:text/html,<script>pwned()</script>)",
              "[x](/api/studio)", "[x](#elsewhere)", "![x](data:image/svg+xml,<svg/onload=pwned()>)", "![x](\\"onerror=pwned())", "```\\"><img src=x onerror=pwned()>\\n<img src=x onerror=pwned()>\\n```",
              "```js onload=pwned()\\n</code></pre><script>pwned()</script>\\n```", "| <img src=x onerror=pwned()> |\\n|---|\\n| <script>pwned()</script> |", "<sub onmouseover=pwned()>x</sub>",
              "[ok](https://ok.example/)", "<a@b.example>", "<form action=//evil.example><input name=q></form>", "<math><mtext><table><mglyph><style><img src=x onerror=pwned()>"].join("\\n\\n");
            globalThis.pwned = () => { globalThis.wasPwned = true; };
            const box = document.createElement("div");
            document.body.append(box);
            for (const block of blocksOf(text)) if (block.type !== "space") box.append(elementOf(block));
            await new Promise(resolve => setTimeout(resolve, 100));
            const all = [...box.querySelectorAll("*")], bad = ["SCRIPT", "IFRAME", "IMG", "STYLE", "FORM", "INPUT", "OBJECT", "EMBED", "MATH", "LINK", "META", "BASE"];
            const seen = { tags: all.filter(e => bad.includes(e.nodeName.toUpperCase())).map(e => e.nodeName).join(),
              attributes: all.flatMap(e => [...e.attributes]).filter(a => a.name.startsWith("on") || a.name === "style" || a.name === "src").map(a => a.name).join(),
              links: [...box.querySelectorAll("a[href]")].map(a => a.getAttribute("href")).join(), pwned: globalThis.wasPwned ? "yes" : "no" };
            box.remove();
            return seen;"""));
    }

    @Test void linksOpenElsewhereAndTellNothing() {
        assertEquals("noopener noreferrer _blank", visit.js("""
            const { blocksOf, elementOf } = await import("/js/markdown.js");
            const link = elementOf(blocksOf("[x](https://example.org)")[0]).querySelector("a");
            return `${link.rel} ${link.target}`;"""));
    }
}

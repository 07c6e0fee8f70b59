package inkstone.transformer.grammar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the rules made from a schema let through is judged by com.networknt's validator, formats included. */
class JsonSchemaTest {
    private static final long SEED = 3;
    private static final JsonMapper JSON = new JsonMapper();
    private static final SchemaRegistry VALIDATORS = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

    /**
     * @param valid   texts in the language
     * @param invalid texts that the schema forbids
     */
    private record Case(String schema, List<String> valid, List<String> invalid) {
        JsonNode node() { return JSON.readTree(schema); }
    }

    private static Case of(String schema, List<String> valid, List<String> invalid) { return new Case(schema, valid, invalid); }

    private static final List<Case> CASES = List.of(
            of("{}", List.of("1", "[]", "{\"a\": [true, null]}", "\"\\ud83d\\ude00\""), List.of("01", "[1,]", "\"\\ud83d\"", "tru", "{a:1}")),
            of("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":130}},\"required\":[\"name\",\"age\"],\"additionalProperties\":false}",
                    List.of("{\"name\":\"Ann\",\"age\":42}", "{\n  \"name\": \"\\u00e9\",\n  \"age\": 130\n}"), List.of("{}", "{\"name\":\"Ann\"}", "{\"name\":\"Ann\",\"age\":131}", "{\"name\":\"Ann\",\"age\":4,\"x\":1}")),
            of("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"boolean\"},\"c\":{\"type\":\"null\"},\"d\":{\"const\":1}},\"required\":[\"c\"]}",
                    List.of("{\"c\":null}", "{\"a\":1,\"c\":null}", "{\"b\":true,\"c\":null,\"d\":1}", "{\"a\":-5,\"b\":false,\"c\":null}"), List.of("{}", "{\"a\":1}", "{,\"c\":null}", "{\"a\":1.5,\"c\":null}")),
            of("{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"integer\"}}}", List.of("{}", "{\"a\":1}", "{\"b\":1}", "{\"a\":1,\"c\":2}", "{\"c\":3}"), List.of("{\"a\":\"1\"}", "{\"a\":1,}")),
            of("{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"idea\":{\"type\":\"string\"}},\"required\":[\"id\"],\"additionalProperties\":{\"type\":\"boolean\"}}",
                    List.of("{\"id\":1}", "{\"id\":1,\"i\":true,\"ideas\":false}", "{\"id\":1,\"idea\":\"x\",\"\":true}"), List.of("{\"id\":1,\"x\":2}", "{\"id\":1,\"idea\":true}")),
            of("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", List.of("{}", "{\"x\":1}", "{\"x\":1,\"y\":2}"), List.of("{\"x\":\"1\"}")),
            of("{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"exclusiveMinimum\":-20,\"exclusiveMaximum\":305},\"minItems\":2,\"maxItems\":4}", List.of("[-19,304]", "[1, 20, 300, -1]"), List.of("[1]", "[1,2,3,4,5]", "[305,1]", "[-20,1]")),
            of("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"},{\"type\":\"boolean\"}],\"items\":false,\"minItems\":1}", List.of("[\"a\"]", "[\"a\",1]", "[\"a\",1,true]"), List.of("[]", "[1]", "[\"a\",1,true,1]")),
            of("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"null\"},\"minItems\":3,\"maxItems\":5}", List.of("[\"a\",null,null]"), List.of("[\"a\",null]", "[\"a\",null,1]")),
            of("{\"enum\":[\"red\",\"green\",\"gr\\\"een\",1,1.5,null,{\"a\":[1]},[]]}", List.of("\"red\"", "\"gr\\\"een\"", "1", "1.5", "null", "{\"a\":[1]}", "[]"), List.of("\"blue\"", "\"gre\"", "2")),
            of("{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}", List.of("\"ab\"", "\"\uD83D\uDE00\\ud83d\\ude00\\n\"", "\"abcd\""), List.of("\"a\"", "\"abcde\"", "\"\uD83D\uDE00\"")),
            of("{\"type\":\"string\",\"pattern\":\"^(\\\\d{3}-)?[a-fA-F]+\\\\s?(x|yz)$\"}", List.of("\"123-abx\"", "\"F yz\""), List.of("\"12-abx\"", "\"ab\"", "\"abxx\"")),
            of("{\"type\":\"string\",\"pattern\":\"[\\\\]}]+\"}", List.of("\"}\"", "\"aab]}cdd\""), List.of("\"b\"", "\"\"")),
            of("{\"type\":\"string\",\"pattern\":\"^[^a-z]*\\\\S\\\\W\\\\D$\"}", List.of("\"A--\"", "\"\\n\\\"!!x\""), List.of("\"a\"", "\"A 3\"")),
            of("{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}", List.of("\"aaaa\""), List.of("\"aaab\"")),
            of("{\"type\":\"string\",\"format\":\"date\"}", List.of("\"2024-02-29\"", "\"1999-12-31\""), List.of("\"2023-02-29\"", "\"2023-04-31\"", "\"2023-13-01\"")),
            of("{\"type\":\"string\",\"format\":\"date-time\"}", List.of("\"2024-05-01T12:30:00Z\"", "\"2024-05-01T12:30:00.123+02:00\""), List.of("\"2024-05-01\"", "\"2024-05-01T25:00:00Z\"")),
            of("{\"type\":\"string\",\"format\":\"time\"}", List.of("\"12:30:59Z\""), List.of("\"12:60:00Z\"")),
            of("{\"type\":\"string\",\"format\":\"uuid\"}", List.of("\"123e4567-e89b-12d3-a456-426614174000\""), List.of("\"123e4567\"")),
            of("{\"type\":\"number\",\"minimum\":-3,\"exclusiveMaximum\":12}", List.of("-3", "-2.75", "0", "11.999", "-0.5"), List.of("-3.01", "12", "12.0", "-4")),
            of("{\"type\":\"number\",\"exclusiveMinimum\":0}", List.of("0.001", "5", "123.5"), List.of("0", "0.0", "-1")),
            of("{\"type\":\"number\",\"maximum\":-5}", List.of("-5", "-5.5", "-100"), List.of("-4.9", "0", "5")),
            of("{\"type\":\"integer\",\"minimum\":-105,\"maximum\":-17}", List.of("-17", "-105", "-99"), List.of("-16", "-106", "17")),
            of("{\"type\":\"integer\",\"minimum\":0.5,\"maximum\":1999.5}", List.of("1", "999", "1999"), List.of("0", "2000")),
            of("{\"type\":[\"string\",\"null\",\"number\",\"integer\"]}", List.of("null", "\"\"", "1.5e3", "-7"), List.of("true", "[]")),
            of("{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}},\"required\":[\"x\"]}],\"title\":\"either\"}", List.of("1", "{\"x\":1}"), List.of("{}", "\"a\"")),
            of("{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"integer\"}},\"anyOf\":[{\"required\":[\"k\"]},{\"properties\":{\"z\":{\"type\":\"null\"}},\"required\":[\"z\"]}]}", List.of("{\"k\":1}", "{\"k\":1,\"z\":null}", "{\"z\":null}"), List.of("{}")),
            of("{\"oneOf\":[{\"$ref\":\"#/$defs/cat\"},{\"$ref\":\"#/$defs/dog\"}],\"$defs\":{\"cat\":{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"cat\"},\"lives\":{\"type\":\"integer\"}},\"required\":[\"kind\",\"lives\"]},"
                    + "\"dog\":{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"dog\"},\"tricks\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"required\":[\"kind\"]}}}",
                    List.of("{\"kind\":\"cat\",\"lives\":9}", "{\"kind\":\"dog\"}", "{\"kind\":\"dog\",\"tricks\":[\"sit\"]}"), List.of("{\"kind\":\"cat\"}", "{\"kind\":\"cow\"}")),
            of("{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":1}},\"required\":[\"a\"]},{\"$ref\":\"#/$defs/b\"}],\"$defs\":{\"b\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}},\"required\":[\"b\"]}}}",
                    List.of("{\"a\":1,\"b\":\"\"}"), List.of("{\"a\":1}", "{\"a\":0,\"b\":\"\"}", "{\"a\":1.5,\"b\":\"\"}")),
            of("{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":[\"value\",\"next\"],\"additionalProperties\":false}}}",
                    List.of("{\"value\":1,\"next\":{\"value\":2,\"next\":null}}"), List.of("{\"value\":1}", "{\"value\":1,\"next\":1}")),
            of("{\"type\":\"object\",\"properties\":{\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},\"we ird/~k%\":{\"type\":\"boolean\"},\"same\":{\"$ref\":\"#/properties/we%20ird~1~0k%25\"}}}",
                    List.of("{\"children\":[{\"children\":[]},{}]}", "{\"we ird/~k%\":true,\"same\":false}"), List.of("{\"children\":[1]}")));

    @Test void knownInstancesAreAcceptedAndRefused() {
        for (var example : CASES) {
            var grammar = Grammar.jsonSchema(example.node());
            var validator = VALIDATORS.getSchema(example.node());
            for (var text : example.valid()) {
                assertTrue(grammar.accepts(text), () -> text + " should fit " + example.schema());
                assertTrue(validator.validate(JSON.readTree(text), context -> context.executionConfig(config -> config.formatAssertionsEnabled(true))).isEmpty(), () -> text + " is wrong in the test itself: " + example.schema());
            }
            for (var text : example.invalid()) assertFalse(grammar.accepts(text), () -> text + " should not fit " + example.schema());
        }
    }

    private static void walk(Spelled tokenizer, int answers) {
        var walks = new Walks(tokenizer, new Random(SEED));
        var vocabulary = Vocabulary.of(tokenizer);
        for (var example : CASES) {
            var grammar = Grammar.jsonSchema(example.node());
            var validator = VALIDATORS.getSchema(example.node());
            for (var text : walks.answers(answers, () -> grammar.constraint(vocabulary))) {
                assertTrue(grammar.accepts(text), () -> "seed " + SEED + ": " + text + " came from tokens but is not in the grammar of " + example.schema());
                var errors = validator.validate(JSON.readTree(text), context -> context.executionConfig(config -> config.formatAssertionsEnabled(true)));
                assertTrue(errors.isEmpty(), () -> "seed " + SEED + ": " + text + " in " + example.schema() + ": " + errors);
            }
        }
    }

    @Test void randomAnswersAreValid() { walk(Spelled.json(), 40); }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "stories260K"})
    void randomAnswersInRealVocabulariesAreValid(String name) throws IOException { walk(Spelled.file(name), 4); }

    @Test void jsonModeGivesObjects() {
        var tokenizer = Spelled.json();
        var vocabulary = Vocabulary.of(tokenizer);
        var grammar = Grammar.json();
        for (var text : new Walks(tokenizer, new Random(SEED)).answers(100, () -> grammar.constraint(vocabulary))) assertTrue(JSON.readTree(text).isObject(), text);
        assertFalse(grammar.accepts("[]"));
        assertFalse(grammar.accepts("{} "));
        assertFalse(grammar.accepts("{" + " ".repeat(100) + "}"));
    }

    @Test void whatCannotBeKeptIsRefusedByName() {
        var refused = Map.ofEntries(Map.entry("{\"not\":{}}", "\"not\""), Map.entry("{\"type\":\"array\",\"uniqueItems\":true}", "\"uniqueItems\""),
                Map.entry("{\"type\":\"integer\",\"multipleOf\":3}", "\"multipleOf\""), Map.entry("{\"patternProperties\":{\"a\":{}}}", "\"patternProperties\""), Map.entry("{\"if\":{},\"then\":{}}", "\"if\""),
                Map.entry("{\"type\":\"number\",\"minimum\":0.5}", "whole"), Map.entry("{\"type\":\"string\",\"pattern\":\"(?=a)\"}", "look-around"), Map.entry("{\"type\":\"string\",\"pattern\":\"(a)\\\\1\"}", "\\1"),
                Map.entry("{\"type\":\"string\",\"pattern\":\"\\\\bx\"}", "word bound"), Map.entry("{\"type\":\"string\",\"pattern\":\"a**\"}", "needs a group"), Map.entry("{\"type\":\"string\",\"pattern\":\"(a\"}", "without its )"),
                Map.entry("{\"type\":\"string\",\"pattern\":\"a\",\"maxLength\":3}", "pattern together"), Map.entry("{\"type\":\"text\"}", "not known"), Map.entry("{\"type\":7}", "not known"), Map.entry("[1]", "a schema is"),
                Map.entry("{\"$ref\":\"https://example.com/s.json\"}", "nothing is fetched"), Map.entry("{\"$ref\":\"file:///etc/passwd\"}", "nothing is fetched"), Map.entry("{\"$ref\":\"#/$defs/x\"}", "leads nowhere"),
                Map.entry("{\"$ref\":\"#\"}", "itself"), Map.entry("{\"allOf\":[{\"$ref\":\"#\"}]}", "itself"), Map.entry("{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}", "no finite text"),
                Map.entry("{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", "no number"), Map.entry("{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", "oneOf"), Map.entry("false", "false allows nothing"),
                Map.entry("{\"type\":\"string\",\"maxLength\":-1}", "count"), Map.entry("{\"type\":\"integer\",\"minimum\":1e40}", "digits"), Map.entry("{\"enum\":[]}", "no value"), Map.entry("{\"required\":\"a\"}", "list of names"),
                Map.entry("{\"allOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", "no value has both"), Map.entry("{\"type\":\"object\",\"properties\":[]}", "properties should"));
        refused.forEach((schema, reason) -> {
            var message = assertThrows(IllegalArgumentException.class, () -> Grammar.jsonSchema(JSON.readTree(schema)), schema).getMessage();
            assertTrue(message.contains(reason), () -> schema + ": " + message);
        });
    }

    @Test void hostileSchemasEndQuickly() {
        var hostile = new ArrayList<String>();
        hostile.add("{\"type\":\"array\",\"items\":".repeat(200) + "{}" + "}".repeat(200));
        hostile.add("{\"anyOf\":[".repeat(200) + "{}" + "]}".repeat(200));
        hostile.add("{\"type\":\"string\",\"maxLength\":1000000}");
        hostile.add("{\"type\":\"string\",\"pattern\":\"((a{1,999}){1,999}){1,999}\"}");
        hostile.add("{\"type\":\"string\",\"pattern\":\"" + "(".repeat(4000) + "\"}");
        hostile.add("{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"minItems\":900},\"minItems\":900},\"minItems\":900000}");
        hostile.add(IntStream.range(0, 50_000).mapToObj(i -> "\"value" + i + "\"").collect(Collectors.joining(",", "{\"enum\":[", "]}")));
        hostile.add(IntStream.range(0, 9_000).mapToObj(i -> "\"" + "x".repeat(40) + i + "x".repeat(40) + "\"").collect(Collectors.joining(",", "{\"enum\":[", "]}")));
        hostile.add(IntStream.range(0, 40).mapToObj(i -> "\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\",\"type\":\"object\"},{\"$ref\":\"#/$defs/d%d\",\"type\":\"object\"}]}".formatted(i, i + 1, i + 1))
                .collect(Collectors.joining(",", "{\"$ref\":\"#/$defs/d0\",\"$defs\":{", ",\"d40\":{\"type\":\"object\"}}}")));
        hostile.add("{\"$ref\":\"#/$defs/a\",\"type\":\"object\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\",\"minItems\":1},\"b\":{\"$ref\":\"#/$defs/a\",\"maxItems\":1}}}");
        for (var schema : hostile) {
            var node = JSON.readTree(schema);
            assertTimeout(Duration.ofSeconds(3), () -> assertThrows(IllegalArgumentException.class, () -> Grammar.jsonSchema(node), () -> schema.substring(0, 60)), () -> schema.substring(0, 60));
        }
    }

    @Test void largeButHonestSchemasWork() {
        var many = IntStream.range(0, 300).mapToObj(i -> "\"property%d\":{\"type\":[\"string\",\"null\"]}".formatted(i)).collect(Collectors.joining(",", "{\"type\":\"object\",\"properties\":{", "}}"));
        assertTrue(Grammar.jsonSchema(JSON.readTree(many)).accepts("{\"property7\":null,\"property299\":\"x\"}"));
        var values = IntStream.range(0, 5_000).mapToObj(i -> "\"value" + i + "\"").collect(Collectors.joining(",", "{\"enum\":[", "]}"));
        assertTrue(Grammar.jsonSchema(JSON.readTree(values)).accepts("\"value4999\""));
        var chain = IntStream.range(0, 500).mapToObj(i -> "\"d%d\":{\"$ref\":\"#/$defs/d%d\"}".formatted(i, i + 1)).collect(Collectors.joining(",", "{\"$ref\":\"#/$defs/d0\",\"$defs\":{", ",\"d500\":{\"type\":\"null\"}}}"));
        assertTrue(Grammar.jsonSchema(JSON.readTree(chain)).accepts("null"));
    }

    @Test void aRequestTwiceIsCompiledOnce() {
        var tokenizer = Spelled.json();
        var grammars = new Grammars(tokenizer);
        var walks = new Walks(tokenizer, new Random(SEED));
        var schema = CASES.get(1).node();
        for (int i = 0; i < 40; i++) {
            assertTrue(Grammar.jsonSchema(schema).accepts(walks.answer(grammars.jsonSchema(schema))));
            assertTrue(JSON.readTree(walks.answer(grammars.json())).isObject());
            assertEquals("y" + i, walks.answer(grammars.gbnf("root ::= \"y" + i + "\"")));
        }
    }
}

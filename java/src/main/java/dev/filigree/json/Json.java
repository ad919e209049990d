// SPDX-License-Identifier: Apache-2.0
package dev.filigree.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.commons.text.similarity.LevenshteinDistance;

/**
 * The one dialect of JSON in which records are written and read: snake_case names, every field
 * present, no unknown ones, no conversions between types.
 */
public final class Json {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .build();

  private Json() {}

  /** Write a record, fields in the order of its components. */
  public static String write(Object value) {
    try {
      return MAPPER.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("cannot write " + value.getClass().getName(), e);
    }
  }

  /** Make an empty object. */
  public static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  /** Turn a record into a tree. */
  public static JsonNode tree(Object value) {
    return MAPPER.valueToTree(value);
  }

  /** Read any JSON value. */
  public static JsonNode parse(String text) {
    try {
      return MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not JSON: " + e.getOriginalMessage(), e);
    }
  }

  /**
   * Read a record.
   *
   * @throws IllegalArgumentException naming the key that is unknown, missing or wrong
   */
  public static <T> T read(String text, Class<T> type) {
    JsonNode tree = parse(text);
    requireKeys(tree, MAPPER.constructType(type), "");
    try {
      return MAPPER.treeToValue(tree, type);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(describe(e), e);
    }
  }

  /** Return the known key that looks most like another one. */
  public static String nearest(String key, Collection<String> known) {
    LevenshteinDistance distance = LevenshteinDistance.getDefaultInstance();
    return known.stream()
        .min(Comparator.comparing(candidate -> distance.apply(key, candidate)))
        .orElseThrow();
  }

  /** Check the keys of records, and of records in them, before any value. */
  private static void requireKeys(JsonNode node, JavaType type, String path) {
    if (type.isCollectionLikeType()) {
      for (int i = 0; i < node.size(); i++) {
        requireKeys(node.path(i), type.getContentType(), path + i + ".");
      }
    }
    if (!type.getRawClass().isRecord() || !node.isObject()) {
      return;
    }
    BeanDescription description = MAPPER.getDeserializationConfig().introspect(type);
    Map<String, JavaType> known = new LinkedHashMap<>();
    for (BeanPropertyDefinition property : description.findProperties()) {
      known.put(property.getName(), property.getPrimaryType());
    }
    for (Map.Entry<String, JsonNode> field : node.properties()) {
      if (!known.containsKey(field.getKey())) {
        throw new IllegalArgumentException(
            "unknown key \"%s%s\"; the nearest one is \"%s%s\""
                .formatted(path, field.getKey(), path, nearest(field.getKey(), known.keySet())));
      }
    }
    known.forEach(
        (name, of) -> {
          if (!node.has(name)) {
            throw new IllegalArgumentException("the key \"" + path + name + "\" is missing");
          }
          requireKeys(node.get(name), of, path + name + ".");
        });
  }

  private static String describe(JsonProcessingException e) {
    String path =
        e instanceof JsonMappingException m
            ? m.getPath().stream()
                .map(r -> r.getFieldName() == null ? "" + r.getIndex() : r.getFieldName())
                .collect(Collectors.joining("."))
            : "";
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String problem =
        root instanceof JsonProcessingException p ? p.getOriginalMessage() : root.getMessage();
    return path.isEmpty() ? problem : path + ": " + problem;
  }
}

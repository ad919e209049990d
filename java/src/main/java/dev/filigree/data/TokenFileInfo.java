// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a token file holds; the JSON beside it.
 *
 * @param corpus name of the corpus
 * @param split "train" or "validation"
 * @param share share of the mix that this corpus was given, relative to the other shares
 * @param documents number of documents
 * @param tokens number of tokens, one end of text per document included
 * @param bytes UTF-8 bytes of the documents
 * @param vocabularySize number of tokens of the tokenizer
 * @param vocabularyHash {@link Tokenizer#hash()}
 * @param corpusHash SHA-256 over the SHA-256 of every document of the corpus, both splits, in
 *     reading order
 * @param skipped number of files of the corpus that were left out, by {@link SkipReason#key()}
 */
public record TokenFileInfo(
    String corpus,
    String split,
    double share,
    long documents,
    long tokens,
    long bytes,
    int vocabularySize,
    String vocabularyHash,
    String corpusHash,
    SortedMap<String, Long> skipped) {
  private static final ObjectMapper JSON = new ObjectMapper();

  public TokenFileInfo {
    skipped = Collections.unmodifiableSortedMap(new TreeMap<>(skipped));
  }

  /** The JSON text of the sidecar. */
  public String toJson() {
    ObjectNode json = JSON.createObjectNode();
    json.put("corpus", corpus).put("split", split).put("share", share);
    json.put("documents", documents).put("tokens", tokens).put("bytes", bytes);
    json.put("vocabulary_size", vocabularySize).put("vocabulary_hash", vocabularyHash);
    json.put("corpus_hash", corpusHash);
    ObjectNode reasons = json.putObject("skipped");
    skipped.forEach(reasons::put);
    return json.toPrettyString() + "\n";
  }

  /**
   * Read what {@link #toJson} wrote.
   *
   * @throws DataException when the text is not such JSON or lacks a field
   */
  public static TokenFileInfo fromJson(String text) {
    JsonNode json;
    try {
      json = JSON.readTree(text);
    } catch (JacksonException e) {
      throw new DataException("not JSON: " + e.getOriginalMessage(), e);
    }
    SortedMap<String, Long> skipped = new TreeMap<>();
    field(json, "skipped")
        .properties()
        .forEach(e -> skipped.put(e.getKey(), e.getValue().asLong()));
    return new TokenFileInfo(
        field(json, "corpus").asText(),
        field(json, "split").asText(),
        field(json, "share").asDouble(),
        field(json, "documents").asLong(),
        field(json, "tokens").asLong(),
        field(json, "bytes").asLong(),
        field(json, "vocabulary_size").asInt(),
        field(json, "vocabulary_hash").asText(),
        field(json, "corpus_hash").asText(),
        skipped);
  }

  private static JsonNode field(JsonNode json, String name) {
    JsonNode value = json.get(name);
    if (value == null) {
      throw new DataException("the field '%s' is missing".formatted(name));
    }
    return value;
  }
}

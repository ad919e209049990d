// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;

/**
 * Learns the merges of a {@link Tokenizer} from text.
 *
 * <p>Each step joins the pair of neighbouring tokens that occurs most often within pre-tokens; of
 * equally frequent pairs the one with the lowest numbers wins (left first), so the result depends
 * on the text alone and not on its order. Pair counts are kept up to date word by word and the best
 * pair comes from a heap whose outdated entries are dropped when they surface. One thread at a
 * time.
 */
public final class BpeTrainer {
  private static final int LONGEST_WORD = 1 << 16; // characters; longer runs are data, not words

  private final int vocabularySize;
  private final Map<String, Long> words = new HashMap<>();

  /**
   * Prepare to learn.
   *
   * @param vocabularySize number of tokens to end with: 256 bytes, the merges, and the end of text
   */
  public BpeTrainer(int vocabularySize) {
    if (vocabularySize < Tokenizer.MINIMUM_SIZE || vocabularySize > Tokenizer.MAXIMUM_SIZE) {
      throw new IllegalArgumentException(
          "vocabulary size %,d is not in %,d to %,d"
              .formatted(vocabularySize, Tokenizer.MINIMUM_SIZE, Tokenizer.MAXIMUM_SIZE));
    }
    this.vocabularySize = vocabularySize;
  }

  /** Count the words of a text. */
  public void add(String text) {
    Matcher matcher = Tokenizer.PRE_TOKEN.matcher(text);
    while (matcher.find()) {
      if (matcher.end() - matcher.start() <= LONGEST_WORD) {
        words.merge(matcher.group(), 1L, Long::sum);
      }
    }
  }

  /**
   * Learn the merges.
   *
   * @throws DataException when the text is too small to yield that many tokens
   */
  public Tokenizer train() {
    int wanted = vocabularySize - Tokenizer.MINIMUM_SIZE;
    List<Merge> merges = new ArrayList<>(wanted);
    PairCounts pairs = new PairCounts(words);
    while (merges.size() < wanted) {
      Merge best = pairs.mostFrequent();
      if (best == null) {
        throw new DataException(
            "the text yields %,d tokens only, %,d were asked for; give more text or a smaller vocabulary"
                .formatted(Tokenizer.MINIMUM_SIZE + merges.size(), vocabularySize));
      }
      pairs.join(best, ByteAlphabet.SIZE + merges.size());
      merges.add(best);
    }
    return Tokenizer.ofMerges(merges);
  }

  /** The words as token sequences, and how often each pair of neighbours occurs in them. */
  private static final class PairCounts {
    private final int[][] sequences; // one per distinct word
    private final long[] frequencies; // how often the word occurs
    private final Map<Merge, Pair> pairs = new HashMap<>();
    private final PriorityQueue<Candidate> heap = new PriorityQueue<>(Candidate.BEST_FIRST);

    PairCounts(Map<String, Long> words) {
      sequences = new int[words.size()][];
      frequencies = new long[words.size()];
      int word = 0;
      for (Map.Entry<String, Long> entry : new TreeMap<>(words).entrySet()) {
        byte[] bytes = entry.getKey().getBytes(UTF_8);
        int[] sequence = new int[bytes.length];
        Arrays.setAll(sequence, i -> ByteAlphabet.tokenOf(bytes[i]));
        sequences[word] = sequence;
        frequencies[word] = entry.getValue();
        count(word, 1, null);
        word++;
      }
      pairs.forEach((pair, state) -> heap.add(new Candidate(pair, state.count)));
    }

    /** The pair to join next, or null when every word is one token. */
    Merge mostFrequent() {
      while (!heap.isEmpty()) {
        Candidate candidate = heap.poll();
        Pair state = pairs.get(candidate.pair);
        if (state != null && state.count == candidate.count) {
          return candidate.pair;
        }
      }
      return null;
    }

    /** Replace a pair by a new token in every word that holds it. */
    void join(Merge pair, int token) {
      Set<Merge> changed = new HashSet<>();
      for (int word : pairs.get(pair).distinctWords()) {
        int[] joined = joined(sequences[word], pair, token);
        if (joined.length < sequences[word].length) {
          count(word, -1, changed);
          sequences[word] = joined;
          count(word, 1, changed);
        }
      }
      for (Merge affected : changed) {
        Pair state = pairs.get(affected);
        if (state.count == 0) {
          pairs.remove(affected);
        } else {
          heap.add(new Candidate(affected, state.count));
        }
      }
    }

    private void count(int word, int sign, Set<Merge> changed) {
      int[] sequence = sequences[word];
      for (int i = 0; i + 1 < sequence.length; i++) {
        Merge pair = new Merge(sequence[i], sequence[i + 1]);
        Pair state = pairs.computeIfAbsent(pair, key -> new Pair());
        state.count += sign * frequencies[word];
        if (sign > 0) {
          state.add(word);
        }
        if (changed != null) {
          changed.add(pair);
        }
      }
    }

    private static int[] joined(int[] sequence, Merge pair, int token) {
      int[] result = new int[sequence.length];
      int length = 0;
      for (int i = 0; i < sequence.length; i++) {
        boolean match =
            sequence[i] == pair.left()
                && i + 1 < sequence.length
                && sequence[i + 1] == pair.right();
        result[length++] = match ? token : sequence[i];
        i += match ? 1 : 0;
      }
      return Arrays.copyOf(result, length);
    }
  }

  /** How often a pair occurs, and in which words; words may have lost it since. */
  private static final class Pair {
    long count;
    private int[] words = new int[4];
    private int size;

    void add(int word) {
      if (size > 0 && words[size - 1] == word) {
        return;
      }
      if (size == words.length) {
        words = Arrays.copyOf(words, 2 * size);
      }
      words[size++] = word;
    }

    int[] distinctWords() {
      return Arrays.stream(words, 0, size).distinct().toArray();
    }
  }

  private record Candidate(Merge pair, long count) {
    static final Comparator<Candidate> BEST_FIRST =
        Comparator.comparingLong(Candidate::count)
            .reversed()
            .thenComparingInt(candidate -> candidate.pair.left())
            .thenComparingInt(candidate -> candidate.pair.right());
  }
}

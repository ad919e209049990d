// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProgramTest {
  private static final int PROGRAMS = 2000;
  private static final List<Program> SAMPLE =
      LongStream.range(0, PROGRAMS).mapToObj(Program::write).toList();

  @TempDir Path folder;

  @Test
  void isDeterministicAndVaried() {
    assertThat(Program.write(5)).isEqualTo(Program.write(5));
    assertThat(
            LongStream.range(0, 500)
                .mapToObj(seed -> Program.write(seed).text())
                .distinct()
                .count())
        .isEqualTo(500);
  }

  @Test
  void usesEveryFormOfTheGrammar() {
    Set<String> used = new TreeSet<>();
    SAMPLE.forEach(program -> used.addAll(program.forms()));
    for (long seed = PROGRAMS;
        seed < 8 * PROGRAMS && !used.containsAll(Program.grammarForms());
        seed++) {
      used.addAll(Program.write(seed).forms());
    }
    assertThat(used).containsAll(Program.grammarForms()).hasSizeGreaterThan(500);
  }

  @Test
  void noFormDominates() {
    Map<String, Integer> programsWith = new TreeMap<>();
    for (Program program : SAMPLE) {
      program.forms().forEach(form -> programsWith.merge(form, 1, Integer::sum));
    }
    assertThat(programsWith.values().stream().filter(count -> count >= PROGRAMS / 100).count())
        .isGreaterThan(300);
  }

  @Test
  void isValidPythonWhoseNamesAreDefined() throws IOException, InterruptedException {
    PythonInterpreter.assumePresent();
    for (int seed = 0; seed < 400; seed++) {
      Files.writeString(folder.resolve(seed + ".py"), Program.write(seed * 31L).text());
    }
    // Compiling finds what parsing does not (a return outside a function). The second check is
    // coarse: every name that
    // is read somewhere is bound somewhere in the program.
    String script =
        """
        import ast, builtins, glob, sys, warnings
        warnings.simplefilter("ignore")
        for path in glob.glob(sys.argv[1] + "/*.py"):
            source = open(path).read()
            try:
                tree = ast.parse(source)
                compile(source, path, "exec")
            except SyntaxError as error:
                print(path, error)
                continue
            read, bound = set(), set(dir(builtins)) | {"__name__"}
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
                elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    bound.add(node.name)
                elif isinstance(node, ast.arg):
                    bound.add(node.arg)
                elif isinstance(node, ast.alias):
                    bound.add((node.asname or node.name).split(".")[0])
                elif isinstance(node, ast.ExceptHandler) and node.name:
                    bound.add(node.name)
            if read - bound:
                print(path, "undefined", read - bound)
        """;
    assertThat(PythonInterpreter.run(script, folder)).isEmpty();
  }

  /** What each task of method 5 asks about occurs in many programs, both ways. */
  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "single_double_quote ; \\('[^'\"\\n]*'\\)\\n ; 900",
        "single_double_quote ; \\(\"[^'\"\\n]*\"\\)\\n ; 900",
        "final_kwarg ; def .*=None.*, \\w+=None\\): ; 20",
        "final_kwarg ; def \\w+\\(\\w+, \\w+, \\w+\\): ; 50",
        "set_or_string ; (?s)(\\w+) = set\\(\\)\\n.*\\1\\.add\\( ; 150",
        "set_or_string ; (?s)(\\w+) = (\"\"|'')\\n.*\\1 \\+= ; 150",
        "set_or_string_fixedvarname ; (?s)current = set\\(\\)\\n.*current\\.add\\( ; 10",
        "set_or_string_fixedvarname ; (?s)current = (\"\"|'')\\n.*current \\+= ; 10",
        "class_init ; self\\.(\\w+) = \\1\\n *self\\.(\\w+) = \\2\\n ; 200",
        "with_as ; with open\\(.*\\) as \\w+: ; 300",
        "with_as ; = open\\(.*\\)\\n ; 300",
        "bracket_brace ; [{]['\"]\\w+['\"]: ; 300",
        "bracket_brace ; \\[['\"]\\w+['\"], ; 300",
        "with_open ; open\\(['\"].*['\"], ['\"]r['\"]\\) ; 200",
        "with_open ; open\\(['\"].*['\"], ['\"]w['\"]\\) ; 200",
        "bracket_counting ; \\[\\[.*\\d\\]\\]\\n ; 300",
        "bracket_counting ; = \\[\\d[\\d, ]*\\]\\n ; 300",
        "for_while ; for \\w+ in ; 1000",
        "for_while ; while \\w+: ; 100",
        "else_elif ; else:\\n ; 700",
        "else_elif ; elif \\w+ ; 400",
        "fstring_brace ; print\\(f['\"][^{\\n]*[{]\\w ; 300",
        "if_ternary ; = .* if .* else .*\\n ; 200",
        "if_ternary ; if \\w+ .*:\\n ; 1000",
        "var_swap ; (\\w+), (\\w+) = \\2, \\1\\n ; 150",
        "lambda_func ; lambda \\w+: ; 200",
        "if_equals ; if \\w+ == ; 500",
        "enumerate_range ; for \\w+, \\w+ in enumerate\\( ; 200",
        "enumerate_range ; for \\w+ in range\\( ; 400",
        "var_if ; if \\w+ == True:\\n ; 100",
        "var_if ; \\w+ = True\\n ; 200",
        "while_return_true ; while True:\\n ; 150",
        "while_return_true ; return True\\n ; 150",
      })
  void coversTheTasks(String task, String pattern, int atLeast) {
    Predicate<String> hasIt = Pattern.compile(pattern).asPredicate();
    long found = SAMPLE.stream().map(Program::text).filter(hasIt).count();
    assertThat(found).isGreaterThanOrEqualTo(atLeast);
  }
}

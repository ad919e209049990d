// SPDX-License-Identifier: Apache-2.0
'use strict';

// Builds the page from its data block (the record Page of dev.filigree.report).

const page = JSON.parse(document.getElementById('data').textContent);

const COLOURS = ['first', 'second'];

function colourOf(label) {
  return COLOURS[page.runs.findIndex(run => run.label === label)] || COLOURS[0];
}

function words(name) {
  return visible(name).replaceAll('_', ' ');
}

// True, false or unknown, in a sign and a word.
function mark(passed, yes = 'yes', no = 'no', unknown = 'not checked') {
  return passed === true ? element('span', {class: 'mark yes'}, '✓ ', yes)
    : passed === false ? element('span', {class: 'mark no'}, '✗ ', no)
      : element('span', {class: 'mark none'}, '– ', unknown);
}

function side(task, label) {
  return task.sides.find(s => s.label === label);
}

function section(id, title, ...children) {
  return element('section', {id, 'aria-labelledby': id + '-title'}, element('h2', {id: id + '-title'}, title), children);
}

// ---- What this is --------------------------------------------------------------------------------------------------

function intro() {
  const [first] = page.runs;
  const pair = page.runs.length === 2;
  const live = first.nonzeros !== null && first.nonzeros < 0.5 * first.parameters
    ? percent(first.nonzeros / first.parameters) : null;
  return [
    element('p', {class: 'lead'},
      pair ? 'Two small language models that read Python. ' : 'A small language model that reads Python. ',
      live && `${pair ? 'The first' : 'It'} has only ${live} of its weights: all others were held at zero while it learnt. `,
      pair && (page.runs[1].loss <= first.loss ? 'The second is an ordinary dense model, trained until it predicts as well.'
        : 'The second is an ordinary dense model, which does not predict as well: its circuits are no fair comparison.'),
      ' For each task, a question about code with two possible answers, everything the answer does not need was taken'
      + ' away. What is left is the circuit: few enough neurons and weights to look at one by one.'),
    element('details', {class: 'glossary'}, element('summary', {}, 'Words used on this page'),
      element('dl', {},
        element('dt', {}, 'Node'), element('dd', {}, 'One channel at one place of one layer: a value that attention or the'
          + ' MLP reads or writes, a query, key or value channel of a head, or a neuron.'),
        element('dt', {}, 'Edge'), element('dd', {}, 'One weight that is not zero and joins two nodes of the circuit.'),
        element('dt', {}, 'Taken away'), element('dd', {}, 'Held at the mean it has over the training text, so that it'
          + ' carries no news about the prompt at hand.'),
        element('dt', {}, 'Loss of a task'), element('dd', {}, 'Cross-entropy between the two answers, in nats: 0 is'
          + ' right and certain, 0.693 is guessing. A scale and a shift of the logits are fitted on other examples.'),
        element('dt', {}, 'Validation and final'), element('dd', {}, 'The size of a circuit was chosen on training and'
          + ' validation examples. Final examples have other wording throughout and had no part in any choice.'))),
  ];
}

function figures() {
  const items = [];
  const checked = page.tasks.some(task => task.sides.some(s => s.evidence));
  for (const run of page.runs) {
    const found = page.tasks.map(task => side(task, run.label).summary).filter(s => s.edges !== null);
    const good = found.filter(s => s.grade !== null && s.grade <= 'C');
    const name = page.runs.length === 2 ? `${visible(run.label)}: ` : '';
    items.push([`${(checked ? good : found).length} of ${page.tasks.length}`,
      `${name}tasks with a circuit${checked ? ' of grade C or better' : ''}`]);
  }
  const ratios = page.tasks.map(task => task.edge_ratio).filter(isNumber);
  if (ratios.length > 0) {
    const mean = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
    items.push([ratio(mean), `as many edges in the dense circuits (geometric mean of ${count(ratios.length)})`]);
  }
  if (page.runs.length === 1) {
    const run = page.runs[0];
    items.push([decimal(run.loss, 3), 'held-out loss, nats per token']);
    if (run.nonzeros !== null) {
      items.push([percent(run.nonzeros / run.parameters), 'of the weights are not zero']);
    }
  }
  if (isNumber(page.seconds)) {
    items.push([duration(page.seconds), 'from start to end']);
  }
  return element('ul', {class: 'figures'}, items.map(([value, name]) => element('li', {}, element('b', {}, value), name)));
}

// ---- The table of tasks --------------------------------------------------------------------------------------------

function taskTable() {
  const most = Math.max(2, ...page.tasks.flatMap(t => t.sides.map(s => s.summary.edges || 0)));
  const pair = page.runs.length === 2;
  const cell = (name, content, kind) => element('td', {'data-name': name, class: kind}, content);
  const bodies = page.tasks.map(task => element('tbody', {}, task.sides.map((s, i) => {
    const row = s.summary;
    const found = row.edges !== null;
    return element('tr', {class: found ? null : 'absent'},
      i === 0 && element('th', {scope: 'rowgroup', rowspan: task.sides.length},
        element('a', {href: '#task-' + page.tasks.indexOf(task)}, words(task.task)),
        isNumber(task.edge_ratio) && element('span', {class: 'ratio'},
          `dense: ${ratio(task.edge_ratio)} the edges, ${ratio(task.node_ratio)} the nodes`)),
      pair && element('td', {class: 'side ' + colourOf(s.label)}, element('i', {class: 'swatch'}), visible(s.label)),
      cell('whole model', decimal(row.model_loss_final, 3), 'n'),
      cell('circuit, validation', decimal(row.loss_validation, 3), 'n'),
      cell('circuit, final', decimal(row.loss_final, 3), 'n'),
      cell('nodes', count(row.nodes), 'n'),
      element('td', {class: 'edges ' + colourOf(s.label), 'data-name': 'edges'},
        element('span', {class: 'number'}, count(row.edges)),
        found && element('span', {class: 'track'}, element('span', {
          class: 'fill', style: `width:${(100 * Math.log(Math.max(1.15, row.edges)) / Math.log(most)).toFixed(1)}%`,
        }))),
      found && row.gate !== false
        ? [cell('sufficient', mark(row.sufficient)), cell('necessary', mark(row.necessary)),
          cell('grade', row.grade === null ? mark(null) : element('b', {class: 'grade'}, row.grade))]
        : element('td', {colspan: 3, class: 'quiet none', 'data-name': 'checks'}, found ? 'does not count: ' : 'no circuit: ', reason(s)));
  })));
  return element('table', {class: 'tasks'},
    element('caption', {}, 'Losses in nats on final examples unless it says validation. Bars of edges are logarithmic.'),
    element('thead', {}, element('tr', {},
      element('th', {scope: 'col'}, 'task'),
      pair && element('th', {scope: 'col'}, element('span', {class: 'unseen'}, 'model')),
      ['whole model', 'circuit, validation', 'circuit, final', 'nodes'].map(n => element('th', {scope: 'col', class: 'n'}, n)),
      ['edges', 'sufficient', 'necessary', 'grade'].map(n => element('th', {scope: 'col'}, n)))),
    bodies);
}

function reason(s) {
  return s.summary.gate === false
    ? 'the whole model does not do the task'
    : s.impossible ? 'this vocabulary cannot express the task'
      : 'none was looked for';
}

// ---- How they were trained -----------------------------------------------------------------------------------------

function training() {
  const rows = [
    ['Preset', r => visible(r.preset || 'none')],
    ['Shape', r => `${r.layers} layers, width ${count(r.width)}, ${r.heads} heads of ${r.heads && r.head_size}, `
      + `${count(r.neurons)} neurons a layer`],
    ['Vocabulary', r => `${count(r.vocabulary)} tokens`],
    ['Weights that are not zero', r => r.nonzeros === null ? '–'
      : `${count(r.nonzeros)} of ${count(r.parameters)} (${percent(r.nonzeros / r.parameters)})`],
    ['Activations kept at each site', r => r.kept === null ? 'all' : percent(r.kept)],
    ['Trained on', r => `${count(r.tokens)} tokens in ${count(r.steps)} steps`],
    ['Text', r => Object.entries(r.corpora).map(([name, share]) =>
      `${visible(name)} ${percent(share / Object.values(r.corpora).reduce((a, b) => a + b, 0))}`).join(', ')],
    ['Held-out loss, nats per token', r => decimal(r.loss, 3)],
    ...[...new Set(page.runs.flatMap(r => Object.keys(r.losses)))].map(corpus =>
      [`on ${visible(corpus)}`, r => decimal(r.losses[corpus], 3), 'sub']),
    ['Time in training steps', r => `${duration(r.seconds)}, ${r.seconds > 0 ? count(r.tokens / r.seconds) : '–'} tokens/s`
      + (r.wall_seconds === null ? '' : `; ${duration(r.wall_seconds)} in all`)],
    ['Started', r => `${visible(r.created)}, seed ${r.seed}`],
    ['Configuration', r => element('code', {title: r.config_hash}, r.config_hash.slice(0, 12))],
    ['Sources', r => r.git === null ? 'not under git'
      : element('code', {title: visible(r.git)}, commit(r.git))],
    ['Versions', r => Object.entries(r.versions).filter(([, v]) => v !== null)
      .map(([name, v]) => `${name} ${visible(v)}`).join(', ')],
    ['Machine', r => visible(r.machine)],
  ];
  const series = (curve, more) => page.runs.map((run, i) => (
    {label: visible(run.label), colour: COLOURS[i], points: run.curves[curve], ...more}));
  return [
    element('div', {class: 'charts'},
      lineChart({
        title: 'Loss', unit: 'nats per token, against tokens', format: v => decimal(v, 2),
        series: page.runs.flatMap((run, i) => [
          {label: `${visible(run.label)}, in training`, colour: COLOURS[i], points: run.curves.train, faint: true},
          {label: `${visible(run.label)}, held out`, colour: COLOURS[i], points: run.curves.held_out, dots: true}]),
      }),
      lineChart({title: 'Weights that are not zero', unit: 'logarithmic', log: true, format: short, series: series('nonzeros')}),
      lineChart({title: 'Speed', unit: 'tokens per second', zero: true, format: short, series: series('speed')})),
    element('table', {class: 'facts'},
      page.runs.length === 2 && element('thead', {}, element('tr', {}, element('td'),
        page.runs.map((r, i) => element('th', {scope: 'col', class: COLOURS[i]}, element('i', {class: 'swatch'}),
          visible(r.label))))),
      element('tbody', {}, rows.map(([name, value, kind]) => element('tr', {class: kind},
        element('th', {scope: 'row'}, name), page.runs.map(r => element('td', {}, value(r))))))),
  ];
}

// ---- One task ------------------------------------------------------------------------------------------------------

function verdict(s) {
  const row = s.summary;
  return element('p', {class: 'verdict ' + colourOf(s.label)},
    page.runs.length === 2 && [element('i', {class: 'swatch'}), element('b', {}, visible(s.label)), ' '],
    row.edges === null
      ? ['no circuit; ', reason(s), `. Whole model’s loss: ${decimal(row.model_loss_final, 3)}.`]
      : [row.gate === false ? [mark(false, '', 'the circuit does not count'), ', as ', reason(s), ': ']
        : row.holds !== null && [mark(row.holds, 'the circuit holds', 'the circuit does not hold'), ': '],
      `${count(row.nodes)} nodes and ${count(row.edges)} edges answer with a loss of ${decimal(row.loss_final, 3)}; `
          + `the whole model’s is ${decimal(row.model_loss_final, 3)}. `,
      s.circuit && s.circuit.reached === false && 'The search did not reach its target.']);
}

// A mean with its 95% interval.
function interval(loss, digits = 3) {
  return `${decimal(loss.mean, digits)} (${decimal(loss.low, digits)} to ${decimal(loss.high, digits)})`;
}

const GRADES = {
  A: 'It has passed every check.',
  B: 'It stands interventions other than the one it was found by; a costly check failed or was not run.',
  C: 'It is enough and it is needed, by mean ablation; it fails a harder check.',
  D: 'It does the task on other wordings, but is not shown to be enough, or to be needed.',
  F: 'It explains nothing: the model does not do the task, or the circuit does not on other wordings.',
};

function checks(task) {
  const known = task.sides.filter(s => s.evidence);
  if (known.length === 0) {
    return element('p', {class: 'quiet'}, 'These circuits have not been checked yet: filigree evidence does that.');
  }
  const side = s => page.runs.length === 2
    && element('span', {class: 'side'}, element('i', {class: 'swatch'}), visible(s.label));
  // A check that has no verdict gives an undefined one; one that was not run is null.
  const block = (title, sentence, name, result) => {
    const rows = known.map(s => {
      const check = s.evidence.checks[name];
      const [passed, text] = check ? result(check, s.evidence) : [null, ''];
      const missing = s.evidence.checks.sufficient === null ? 'no circuit' : 'not run';
      return element('li', {class: colourOf(s.label)}, side(s),
        passed !== undefined && mark(passed, 'passed', 'failed', missing),
        element('span', {class: 'numbers'}, text));
    });
    return element('div', {class: 'check'}, element('h4', {}, title), element('p', {}, sentence), element('ul', {}, rows));
  };
  const rate = share => percent(share);
  return [
    element('ul', {class: 'grades'}, known.map(s => element('li', {class: colourOf(s.label)}, side(s),
      element('b', {class: 'grade'}, `Grade ${s.evidence.grade}`), ' ',
      element('span', {}, GRADES[s.evidence.grade]),
      s.evidence.failed.length > 0 && element('span', {}, ` Fails: ${s.evidence.failed.map(words).join(', ')}.`),
      s.evidence.checks.sufficient !== null && s.evidence.not_run.length > 0
        && element('span', {class: 'quiet'}, ` Not run: ${s.evidence.not_run.map(words).join(', ')}.`)))),
    element('p', {class: 'quiet'}, 'Grades go up only in order: D needs learnt and final, C sufficient and necessary, B the'
      + ' next four, A the costly ones. Losses have a 95% interval in brackets, from resampled examples.'),
    element('div', {class: 'checks'},
      block('Learnt', 'The whole model does the task on wordings it was not tuned on; without that a circuit says little.',
        'gate', c => [c.passed, `loss ${interval(c.validation)} on validation, `
          + `${interval(c.final)} on final examples; limit ${decimal(c.limit, 2)}`]),
      block('Final', 'The circuit does the task on wordings that had no part in the search for it.',
        'final', c => [c.passed, `loss ${interval(c.loss)}, limit ${decimal(c.limit, 3)}`]),
      block('Sufficient', 'With everything outside the circuit held at its mean, the circuit still answers.',
        'sufficient', c => [c.passed, `loss ${interval(c.validation)} on validation, target ${decimal(c.target, 2)}; `
          + `${decimal(c.final.mean, 3)} on final examples, limit ${decimal(c.limit, 3)}`]),
      block('Necessary', 'With only the circuit held at its mean the model is left guessing, while as many nodes picked'
        + ' at random are not missed.',
      'necessary', c => [c.passed,
        `loss ${interval(c.loss)} without the circuit, ${decimal(c.threshold, 2)} or more expected; `
        + (c.random === null ? 'there are not as many other nodes to compare with'
          : `${interval(c.random.loss)} without random nodes (${count(c.random.draws.length)} draws), `
            + `within ${decimal(c.random_margin, 2)} of the model’s ${interval(c.model)} expected`)
        + (c.live === null ? '' : `; ${interval(c.live.loss)} without random live nodes`)]),
      block('Resampled', 'The circuit still answers when everything outside it says, not its mean, but what it says on'
        + ' another example.',
      'resample', c => [c.passed, `loss ${interval(c.loss)}, limit ${decimal(c.limit, 3)}`]),
      block('Interchanged', 'Given the circuit’s activations on the other prompt of the pair, the whole model gives that'
        + ' prompt’s answer; given those of as many other nodes, it does not.',
      'interchange', c => [c.passed, `${rate(c.flipped)} of ${count(c.sequences)} right answers turn, ${rate(c.threshold)} expected; `
        + (c.random_flipped === null ? 'there are not as many other nodes to compare with'
          : `${rate(c.random_flipped)} with other nodes, at most ${rate(c.random_limit)} expected`)]),
      block('Faithful', 'Prompt by prompt the circuit answers as the whole model does. Its mistakes, where there are some,'
        + ' should be the model’s.',
        'faithful', c => [c.passed, `answers diverge by ${interval(c.divergence)} nats, limit ${decimal(c.limit, 2)}; `
          + `the same answer to ${rate(c.agreement)} of ${count(c.sequences)} prompts, correlation ${decimal(c.correlation, 3)}`
          + `${c.member_correlation === null ? '' : ', among those with the same right answer ' + decimal(c.member_correlation, 3)}; `
          + (c.wrong_agreement === null ? 'the model gets none wrong'
            : `to ${rate(c.wrong_agreement)} of the ${count(c.wrong_sequences)} that the model gets wrong, `
              + `where they diverge by ${interval(c.wrong_divergence)}, `
              + (c.wrong_correlation === null ? 'too few for a correlation' : `correlation ${decimal(c.wrong_correlation, 3)}`))]),
      block('Relaxed', 'Giving back a part of what was taken away does not upset the circuit.',
        'relaxation', c => [c.passed, `loss ${c.steps.map(t => `${interval(t.loss)} with ${rate(t.share)}`).join(', ')} of`
          + ` the other nodes; limit ${decimal(c.limit, 3)}`]),
      block('Seeds agree', 'Searches that begin elsewhere find the same nodes.',
        'seeds', c => [c.passed, `${count(c.found.length)} searches kept ${c.found.map(f => count(f.nodes)).join(', ')} nodes; `
          + `any two share ${rate(c.agreement)} of what either kept, ${rate(c.threshold)} expected`]),
      block('Untrained', 'In a model with random weights the same search finds nothing that does the task.',
        'random_init', c => [c.passed, `${count(c.nodes)} nodes and ${count(c.edges)} edges${c.reached ? '' : ', short of its target,'} with a loss of ${interval(c.final)}; `
          + `above ${decimal(c.limit, 3)} expected`]),
      block('Misled', 'The circuit foretells what misleading prompts do to the whole model.',
        'variants', c => [c.passed === null ? undefined : c.passed, c.variants.length === 0 ? 'this task has no such prompts'
          : (c.passed === null ? 'none misleads the model, as foretold: ' : '') + c.variants.map(v => `${words(v.name)}, probability of the right answer, circuit and model: `
            + v.levels.map(l => `${visible(l.label)} ${decimal(l.circuit.mean, 2)} and ${decimal(l.model.mean, 2)}`).join('; ')).join('. ')]),
      block('Two-valued', 'How well the circuit does when each node may say one of two things only. No verdict.',
        'binarised', c => [undefined, `loss ${interval(c.loss)}`])),
  ];
}

// The part in which the prompts of a pair differ: [start, end of a, end of b], in letters.
function difference(a, b) {
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) {
    start++;
  }
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end++;
  }
  return [start, a.length - end, b.length - end];
}

function example(given) {
  const [a, b] = [[...given.text_a], [...given.text_b]];
  const [start, endA, endB] = difference(a, b);
  const bar = (name, p, which) => element('div', {class: 'chance'}, element('span', {}, name),
    element('span', {class: 'track'}, element('span', {class: 'fill', style: `width:${(100 * p).toFixed(1)}%`})),
    element('b', {}, tokenText(given.answers[which]), ' ', percent(p)),
    element('span', {class: 'other'}, tokenText(given.answers[1 - which]), ' ', percent(1 - p)),
    p < 0.5 && element('em', {}, ' wrong'));
  const prompt = (letters, end, which) => element('div', {class: 'prompt'},
    element('pre', {tabindex: 0, role: 'region', 'aria-label': `Prompt ${'AB'[which]}`},
      visible(letters.slice(0, start).join('')),
      element('mark', {}, visible(letters.slice(start, end).join(''))),
      visible(letters.slice(end).join('')), element('span', {class: 'next'}, tokenText(given.answers[which]))),
    bar('model', given.model[which], which), bar('circuit', given.circuit[which], which));
  return element('li', {class: 'example'}, prompt(a, endA, 0), prompt(b, endB, 1));
}

function examples(task) {
  return task.sides.filter(s => s.evidence && s.evidence.examples && s.evidence.examples.length > 0).map((s, i) =>
    element('details', {class: 'examples', open: i === 0},
      element('summary', {}, page.runs.length === 2 ? `Example prompts, ${visible(s.label)} model` : 'Example prompts'),
      element('p', {class: 'quiet'}, 'Pairs that differ in the marked cue alone. After each prompt its right answer, and'
        + ' the probabilities of both answers, calibrated and between these two alone.'),
      element('ul', {class: 'pairs'}, s.evidence.examples.map(example))));
}

function lists(task) {
  return task.sides.filter(s => s.circuit).map(s => {
    const head = page.runs.find(run => run.label === s.label).head_size;
    const names = new Map(s.circuit.nodes.map(n => [n.index,
      n.head === null ? `${n.layer}.${n.kind} ${n.channel}` : `${n.layer}.${n.kind} ${n.channel - n.head * head} of head ${n.head}`]));
    const table = (caption, columns, rows) => element('div', {class: 'scroller', tabindex: 0, role: 'region', 'aria-label': caption},
      element('table', {class: 'list'}, element('caption', {}, caption),
        element('thead', {}, element('tr', {}, columns.map(c => element('th', {scope: 'col'}, c)))),
        element('tbody', {}, rows.map(row => element('tr', {}, row.map(value => element('td', {}, value)))))));
    const details = element('details', {class: 'lists'}, element('summary', {},
      `Nodes and edges as a table${page.runs.length === 2 ? `, ${visible(s.label)}` : ''}`));
    // Thousands of rows that few people open are made when they do.
    details.addEventListener('toggle', () => details.append(element('div', {class: 'tables'},
      table(`${count(s.circuit.nodes.length)} nodes`, ['node', 'mean', 'bias'],
        s.circuit.nodes.map(n => [names.get(n.index), signed(n.mean), signed(n.bias)])),
      table(`${count(s.circuit.edges.length)} edges`, ['from', 'to', 'weight'],
        s.circuit.edges.map(([from, to, w]) => [names.get(from), names.get(to), signed(w)])),
      table('Embedding, strongest of each channel', ['token', 'prompt', 'channel', 'weight'],
        s.circuit.embeddings.map(w => [tokenText(w.text), w.member ? w.member.toUpperCase() : '', w.channel, signed(w.weight)])),
      table('Unembedding', ['answer', 'prompt', 'channel', 'weight'],
        s.circuit.unembeddings.map(w => [tokenText(w.text), w.member ? w.member.toUpperCase() : '', w.channel, signed(w.weight)])),
      s.circuit.tokens && table(`${count(s.circuit.tokens.length)} tokens are told apart, all others embedded as their mean`,
        ['token'], s.circuit.tokens.map(t => [tokenText(t.text)])))),
    {once: true});
    return details;
  });
}

function taskSection(task, index) {
  const drawn = task.sides.filter(s => s.circuit && s.circuit.nodes.length > 0);
  const scatters = task.sides.filter(s => s.evidence && s.evidence.checks.faithful && s.evidence.checks.faithful.differences.length > 0);
  return section('task-' + index, words(task.task),
    element('p', {class: 'lead'}, visible(task.description || '')),
    task.sides.map(verdict),
    drawn.map((s, i) => circuitFigure(s.circuit, page.runs.find(run => run.label === s.label).head_size,
      `${page.runs.length === 2 ? `${visible(s.label)} circuit` : 'The circuit'}: ${count(s.summary.nodes)} nodes, `
      + `${count(s.summary.edges)} edges`, i === 0)),
    element('h3', {}, 'Checks'), checks(task),
    scatters.length > 0 && element('div', {class: 'charts'}, scatters.map(s => scatter({
      title: page.runs.length === 2 ? `Circuit against model, ${visible(s.label)}` : 'Circuit against model',
      note: 'difference of the two answers’ logits, one dot a prompt; on the diagonal both agree; rings: the model is wrong',
      // Prompts take turns: the first answer is right, then the second.
      colour: colourOf(s.label), points: s.evidence.checks.faithful.differences.map(([model, circuit], i) =>
        [model, circuit, i % 2 === 0 ? model <= 0 : model >= 0]),
    }))),
    examples(task), lists(task));
}

// ---- The page ------------------------------------------------------------------------------------------------------

function build() {
  const main = document.getElementById('main');
  if (page === null) {
    main.append(element('p', {class: 'prose'}, 'This is the empty page: filigree report fills it.'));
    return;
  }
  const title = visible(page.title);
  document.title = `${title} · Filigree report`;
  document.getElementById('title').textContent = title;
  document.getElementById('intro').replaceChildren(...intro());
  document.querySelector('header.top').append(figures());
  document.getElementById('contents').append(
    ...page.tasks.length > 0 ? [element('a', {href: '#tasks'}, 'Tasks')] : [],
    element('a', {href: '#training'}, 'Training'),
    ...page.tasks.map((task, i) => element('a', {href: '#task-' + i}, words(task.task))));
  main.append(
    section('tasks', 'What was found', page.tasks.length > 0 ? taskTable()
      : element('p', {class: 'quiet'}, 'No circuits yet: filigree prune finds one.')),
    section('training', 'How it was trained', training()),
    ...page.tasks.map(taskSection));
  document.getElementById('foot').append(
    element('p', {}, `Written ${visible(page.written)} by Filigree ${visible(page.filigree)}. `,
      'The figures are in this file: ', element('code', {}, 'document.getElementById("data")'), ' has them as JSON.'));
}

themeButton();
build();

// SPDX-License-Identifier: Apache-2.0
'use strict';

// Builds the page of a comparison from its data block (the record ComparePage of dev.filigree.report).

const page = JSON.parse(document.getElementById('data').textContent);

const COLOURS = ['first', 'third', 'fourth', 'fifth', 'sixth', 'seventh'];
const DENSE = 'second';

function section(id, title, ...children) {
  return element('section', {id, 'aria-labelledby': id + '-title'}, element('h2', {id: id + '-title'}, title), children);
}

function words(name) {
  return visible(name).replaceAll('_', ' ');
}

// 0.0625 as 1/16.
function fraction(value) {
  const inverse = 1 / value;
  return Math.abs(inverse - Math.round(inverse)) < 1e-9 * inverse ? '1/' + Math.round(inverse) : String(+value.toPrecision(3));
}

function times(value) {
  return isNumber(value) ? decimal(value, value >= 100 ? 0 : 1) + '×' : '–';
}

function tasks(names) {
  const number = isNumber(names) ? names : names.length;
  return number === 1 ? '1 task' : `${count(number)} tasks`;
}

function interval(ends) {
  return ends === null ? '' : `${decimal(ends[0], 1)} to ${decimal(ends[1], 1)}`;
}

const result = page && page.result;
const models = result ? result.cells.map(cell => ({...cell.model, ...cell})) : [];
const middle = models.find(m => m.name === (result && result.middle));
const grid = models.filter(m => m.kind === 'sparse' && m.variant === null && m.steps === middle.steps);
const ladder = models.filter(m => m.kind === 'dense' && m.steps === middle.steps).sort((a, b) => a.loss - b.loss);
const extra = models.filter(m => m.kind === 'sparse' && !grid.includes(m));
const widths = [...new Set(grid.map(m => m.width))].sort((a, b) => a - b);
// Otherwise every weight between two nodes of a circuit is an edge.
const choosesEdges = page && page.chooses_edges;
const corpora = middle ? Object.keys(middle.loss_by_corpus) : [];
const fractions = [...new Set(grid.map(m => m.kept))].sort((a, b) => b - a);

// ---- What was found ------------------------------------------------------------------------------------------------

// The headline is interpolated: between what.
function between() {
  const [below, above] = result.neighbours;
  return above === undefined ? '' : `It lies between ${visible(below.model)}, loss ${decimal(below.loss, 3)}, ${times(below.edge_ratio)}`
    + ` as many edges, and ${visible(above.model)}, loss ${decimal(above.loss, 3)}, ${times(above.edge_ratio)}.`;
}

function intro() {
  const found = result.edge_ratio === null
    ? `There is no ratio: ${visible(result.no_ratio)}.`
    : `At a task loss of ${result.plan.target} the circuits of a dense model that predicts as well have ${times(result.edge_ratio)}`
      + ` as many edges${result.interval === null ? '' : `, 95% interval ${interval(result.interval)}`}: a geometric mean over`
      + ` ${count(middle.counted)} of ${count(result.tasks.length)} tasks. ${between()}`;
  return [
    element('p', {class: 'lead'}, `Sparse models over width and number of weights (${count(grid.length)}) against a ladder of `
      + `dense ones (${count(ladder.length)}); all read the same text and were searched in the same way. The figures are about `
      + `${visible(result.middle)}, the middle of the grid. ${found}`),
    element('details', {class: 'glossary'}, element('summary', {}, 'Words used on this page'),
      element('dl', {},
        element('dt', {}, 'Edge'), element('dd', {}, choosesEdges
          ? 'One weight that is not zero, joins two nodes of the circuit and is used by it.'
          : 'One weight that is not zero and joins two nodes of the circuit.'),
        element('dt', {}, 'Ratio'), element('dd', {}, 'Edges of a dense circuit over those of the sparse one. The dense model'
          + ' is the one with the sparse model’s held-out loss: sizes are interpolated between the two dense models around that'
          + ' loss, in the logarithm. Where there are no two, there is no ratio.'),
        element('dt', {}, 'Weights'), element('dd', {}, 'All weights that are not zero and join two nodes of the circuit, used or'
          + ' not. The published method counts these as edges and makes circuits small in nodes; '
          + (choosesEdges ? 'here they are made small in edges.' : 'so it is here.')),
        element('dt', {}, 'Counts'), element('dd', {}, 'A task counts where the sparse model and both dense ones do it, each with'
          + ' a circuit that reaches the loss on training and on validation examples.'),
        element('dt', {}, 'Interval'), element('dd', {}, '95%, from resampling the tasks. It tells how much hangs on which'
          + ' tasks were chosen, not how much another seed would change.'),
        element('dt', {}, 'Kept'), element('dd', {}, 'Fraction of the block matrices that is not zero, at the width of the'
          + ' preset. Models of one fraction have as many weights at every width.'))),
  ];
}

function figures() {
  const items = [
    [times(result.edge_ratio), `as many edges in dense circuits${result.interval === null ? '' : `, ${interval(result.interval)}`}`],
    [times(result.node_ratio), `as many nodes${result.node_interval === null ? '' : `, ${interval(result.node_interval)}`}`],
    choosesEdges && [times(result.weight_ratio), `as many weights between them${result.weight_interval === null ? '' : `, ${interval(result.weight_interval)}`}`],
    [`${count(middle.counted)} of ${count(result.tasks.length)}`, 'tasks count: both sides do them'],
    [decimal(middle.loss, 3), 'held-out loss of the sparse model, nats per token'],
    [duration(result.seconds), 'of work'],
  ].filter(Boolean);
  return element('ul', {class: 'figures'}, items.map(([value, name]) => element('li', {}, element('b', {}, value), name)));
}

// ---- Charts --------------------------------------------------------------------------------------------------------

function edgesAgainstLoss() {
  const side = key => result.curve.map(p => ({x: p.target, y: p[key]}));
  return pointChart({
    title: 'Edges against loss',
    unit: `geometric means over ${tasks(result.curve_tasks)}`,
    x: {name: 'loss that circuits had to reach, nats', log: true, format: v => String(v), values: result.curve.map(p => p.target)},
    y: {name: 'edges', log: true, format: short},
    series: [
      {label: visible(result.middle), colour: COLOURS[0], points: side('sparse_edges')},
      {label: 'dense of the same held-out loss', colour: DENSE, points: side('dense_edges')},
      ...choosesEdges ? [
        {label: `${visible(result.middle)}, weights between nodes`, colour: COLOURS[0], dashed: true, points: side('sparse_weights')},
        {label: 'dense, weights between nodes', colour: DENSE, dashed: true, points: side('dense_weights')}] : []],
    note: 'The less a circuit may lose, the more it needs. Both sides over the same tasks at every loss.'
      + (choosesEdges ? ' Dashed: all weights between the nodes, the edges of the published method.' : ''),
  });
}

function edgesAgainstPretraining() {
  const point = m => ({x: m.loss, y: m.edges, label: m.kept === null ? String(m.width) : fraction(m.kept), title: visible(m.name)});
  return pointChart({
    title: 'Edges against held-out loss',
    unit: `geometric means over ${tasks(result.common)}`,
    x: {name: 'held-out loss, nats per token', format: v => decimal(v, 2)},
    y: {name: 'edges', log: true, format: short},
    series: [
      ...widths.map((width, i) => ({
        label: `sparse, width ${count(width)}`, colour: COLOURS[i % COLOURS.length],
        points: fractions.map(kept => grid.find(m => m.width === width && m.kept === kept)).filter(Boolean).map(point),
      })),
      {label: 'dense', colour: DENSE, dashed: true, points: ladder.map(point)}],
    note: 'Down and to the left is better. A line is one width, its points are the kept fractions; dense points are named by'
      + ' their width.',
  });
}

function ratioPoint(set, m, x, label) {
  const own = m && set.points.find(point => point.model === m.name);
  const [low, high] = own && own.interval || [];
  return {x, y: own && own.ratio, low, high, label, title: m && visible(m.name)};
}

function ratioChart(title, set, x, series, note) {
  return pointChart({title, unit: `edges, dense over sparse, over ${tasks(set.tasks)}`, x, y: {name: 'ratio', log: true, format: times}, series, note});
}

function trends() {
  const byWidth = fractions.map((kept, i) => ({
    label: `kept ${fraction(kept)}`, colour: COLOURS[i % COLOURS.length],
    points: widths.map(width => ratioPoint(result.grid_ratios, grid.find(m => m.width === width && m.kept === kept), width)),
  }));
  const byKept = widths.map((width, i) => ({
    label: `width ${count(width)}`, colour: COLOURS[i % COLOURS.length],
    points: fractions.map(kept => ratioPoint(result.grid_ratios, grid.find(m => m.width === width && m.kept === kept), kept)),
  }));
  const longer = [middle, ...extra.filter(m => m.variant === null)].sort((a, b) => a.tokens - b.tokens);
  const variants = extra.filter(m => m.variant !== null);
  const charts = [
    ratioChart('Ratio against width', result.grid_ratios, {name: 'width', log: true, format: count, values: widths}, byWidth,
      'As many weights at every width of a line. Bars are 95% intervals, none over fewer than five tasks. A chart is over'
      + ' the tasks that count in every model in it.'),
    ratioChart('Ratio against kept fraction', result.grid_ratios, {name: 'kept', log: true, format: fraction, values: fractions}, byKept,
      'As wide at every fraction of a line.')];
  if (longer.length > 1) {
    charts.push(ratioChart('Ratio against tokens', result.token_ratios, {name: 'tokens', log: true, format: short, values: longer.map(m => m.tokens)},
      [{label: visible(result.middle), colour: COLOURS[0], points: longer.map(m => ratioPoint(result.token_ratios, m, m.tokens))}],
      'The middle of the grid against dense models that were trained on as many tokens.'));
  }
  if (variants.length > 0) {
    charts.push(ratioChart('Trained otherwise', result.variant_ratios, {name: 'held-out loss, nats per token', format: v => decimal(v, 3)},
      [{label: visible(result.middle), colour: COLOURS[0],
        points: [ratioPoint(result.variant_ratios, middle, middle.loss, visible(result.plan.preset))]},
      ...variants.map((m, i) => ({
        label: visible(m.variant), colour: COLOURS[(i + 1) % COLOURS.length],
        points: [ratioPoint(result.variant_ratios, m, m.loss, visible(m.variant))],
      }))], 'Up and to the left is better.'));
  }
  return charts;
}

// ---- Tables --------------------------------------------------------------------------------------------------------

function ratioOf(m) {
  if (m.diverged !== null) {
    return element('span', {class: 'quiet'}, 'diverged');
  }
  if (m.edge_ratio === null) {
    return element('span', {class: 'quiet'}, {
      above: 'predicts worse than the ladder', below: 'predicts better than the ladder', empty: 'no ladder',
    }[m.place] || 'no task in common');
  }
  return [element('b', {}, times(m.edge_ratio)), ' ',
    element('span', {class: 'quiet'}, [interval(m.interval), tasks(m.counted)].filter(Boolean).join('; ')),
    element('div', {class: 'quiet'}, m.neighbours.map(one => `${visible(one.model.split(',')[0])} ${times(one.edge_ratio)}`).join('; '))];
}

function gridTable() {
  return element('div', {class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Ratio of edges over the grid'},
    element('table', {class: 'grid'},
      element('caption', {}, 'Edges of dense circuits over those of sparse ones, with 95% intervals, each over the tasks that'
        + ' count for its model; and to each of the two dense models alone that it lies between'),
      element('thead', {}, element('tr', {}, element('th', {scope: 'col'}, 'width'),
        fractions.map(kept => element('th', {scope: 'col'}, `kept ${fraction(kept)}`)))),
      element('tbody', {}, widths.map(width => element('tr', {}, element('th', {scope: 'row'}, count(width)),
        fractions.map(kept => {
          const m = grid.find(one => one.width === width && one.kept === kept);
          return element('td', {class: m === middle ? 'middle' : null}, m ? ratioOf(m) : '–');
        }))))));
}

const SIZES = ['nodes', 'edges', 'final loss'];

function sizes(circuit) {
  return circuit ? [count(circuit.nodes), count(circuit.edges), decimal(circuit.loss_final, 3)] : SIZES.map(() => '–');
}

// A dense model next to the middle.
function side(of) {
  return of === null ? ['–', '–'] : [decimal(of.model_loss, 3), of.circuit === null ? '–' : count(of.circuit.edges)];
}

function named(neighbour) {
  return neighbour === undefined ? 'no dense model' : visible(neighbour.model);
}

const AXES = {width: 'wider, as many weights', kept: 'fewer weights, as wide', tokens: 'more tokens', variant: 'trained otherwise'};

function trendTable() {
  return element('div', {class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'How circuits and ratio move'},
    element('table', {class: 'plain'},
      element('caption', {}, 'From one sparse model to another, with 95% intervals: the change of every task that both do, averaged.'
        + ' 1× is no change'),
      element('thead', {},
        element('tr', {}, [['', 4], ['edges of sparse circuits', 3], ['ratio, dense over sparse', 3]].map(([name, colspan]) =>
          name === '' ? element('td', {colspan}) : element('th', {scope: 'colgroup', colspan, class: 'n'}, name))),
        element('tr', {}, ['what changes', 'from', 'to', 'held-out loss', 'change', 'interval', 'tasks', 'change', 'interval', 'tasks']
          .map((name, i) => element('th', {scope: 'col', class: i > 2 ? 'n' : null}, name)))),
      element('tbody', {}, result.trends.map(trend => element('tr', {}, element('th', {scope: 'row'}, AXES[trend.axis]),
        [visible(trend.from), visible(trend.to)].map(value => element('td', {}, value)),
        [signed(trend.loss), ...change(trend.edges), ...change(trend.ratio)].map(value => element('td', {class: 'n'}, value)))))));
}

function change(of) {
  const factor = value => decimal(value, 2) + '×';
  return of === null ? ['–', '–', '–'] : [factor(of.factor), of.interval === null ? '–' : of.interval.map(factor).join(' to '), count(of.tasks)];
}

function taskTable() {
  const rows = result.tasks.map(row => element('tr', {class: row.reason === null ? null : 'quiet'},
    element('th', {scope: 'row'}, words(row.task)),
    [decimal(row.model_loss, 3), ...sizes(row.sparse), ...side(row.below), ...side(row.above), ...sizes(row.dense)]
      .map(value => element('td', {class: 'n'}, value)),
    row.reason === null
      ? [element('td', {class: 'n'}, element('b', {}, times(row.edge_ratio))), element('td', {class: 'n'}, times(row.weight_ratio))]
      : element('td', {class: 'reason', colspan: 2}, visible(row.reason))));
  return element('div', {class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Every task'},
    element('table', {class: 'plain'},
      element('caption', {}, `${visible(result.middle)} at a loss of ${result.plan.target}. Sizes in between are interpolated between the two`
        + ' dense models around its held-out loss, the final loss is the worse of theirs. “model” is the loss of a whole model'),
      element('thead', {},
        element('tr', {}, [['', 1], ['sparse', 1 + SIZES.length], [named(result.neighbours[0]), 2], [named(result.neighbours.at(-1)), 2],
          ['dense, in between', SIZES.length], ['dense / sparse', 2]].map(([name, colspan]) =>
          name === '' ? element('td', {colspan}) : element('th', {scope: 'colgroup', colspan, class: 'n'}, name))),
        element('tr', {}, ['task', 'model', ...SIZES, 'model', 'edges', 'model', 'edges', ...SIZES, 'edges', 'weights'].map((name, i) =>
          element('th', {scope: 'col', class: i > 0 ? 'n' : null}, name)))),
      element('tbody', {}, rows)));
}

function modelTable() {
  return element('div', {class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Every model'},
    element('table', {class: 'plain'},
      element('caption', {}, 'Nodes, edges and weights are geometric means over the tasks in common'),
      element('thead', {}, element('tr', {}, ['model', 'held-out loss', ...corpora.map(visible), 'tokens', 'nonzeros', 'tasks', 'nodes', 'edges', 'weights',
        'trained in', 'ratio of edges'].map((name, i) => element('th', {scope: 'col', class: i > 0 ? 'n' : null}, name)))),
      element('tbody', {}, models.map(m => element('tr', {},
        element('th', {scope: 'row'}, visible(m.name)),
        [decimal(m.loss, 3), ...corpora.map(name => decimal(m.loss_by_corpus[name], 3)), short(m.tokens), count(m.nonzeros), count(m.done), count(m.nodes), count(m.edges), count(m.weights),
          duration(m.seconds)]
          .map(value => element('td', {class: 'n'}, value)),
        element('td', {class: 'n'}, m.kind === 'dense' ? '' : ratioOf(m)))))));
}

// Commits, each once.
function commits(names) {
  return [...new Set(names.map(name => name === null ? 'an unknown commit' : commit(name)))].join(', ');
}

function changes(settings) {
  return settings.map(setting => `, ${visible(setting.key)}=${visible(setting.value)}`).join('');
}

function facts() {
  const run = page.middle;
  const shares = Object.values(run.corpora).reduce((a, b) => a + b, 0);
  const rows = [
    ['Preset', visible(result.plan.preset) + changes(result.settings)],
    ['Dense models', `width ${result.plan.dense_widths.map(count).join(', ')}${changes(result.plan.dense)}`],
    ...result.plan.variants.map(variant => [`Variant ${visible(variant.name)}`, changes(variant.settings).replace(', ', '')]),
    ['Searches', `${visible(result.plan.base.prune.method)} method, ${choosesEdges ? 'edges chosen one by one' : 'all weights between nodes are edges'}`],
    ['Layers, vocabulary', `${run.layers}, ${count(run.vocabulary)} tokens`],
    ['Activations kept at each site', run.kept === null ? 'all' : percent(run.kept) + '; all in dense models'],
    ['Text', Object.entries(run.corpora).map(([name, share]) => `${visible(name)} ${percent(share / shares)}`).join(', ')],
    ['Seed', String(run.seed)],
    ['Trained by the sources of', commits(models.map(m => m.git))],
    ['Searched by those of', commits(models.flatMap(m => m.searches.map(search => search.git)))],
    ['Versions', Object.entries(run.versions).filter(([, v]) => v !== null).map(([name, v]) => `${name} ${visible(v)}`).join(', ')],
    ['Machine', visible(run.machine)],
  ];
  return element('table', {class: 'facts'}, element('tbody', {}, rows.map(([name, value]) =>
    element('tr', {}, element('th', {scope: 'row'}, name), element('td', {}, value)))));
}

// ---- The page ------------------------------------------------------------------------------------------------------

function build() {
  const main = document.getElementById('main');
  if (page === null) {
    main.append(element('p', {class: 'prose'}, 'This is the empty page: filigree compare fills it.'));
    return;
  }
  const title = visible(page.title);
  document.title = `${title} · Filigree comparison`;
  document.getElementById('title').textContent = title;
  document.getElementById('intro').replaceChildren(...intro());
  document.querySelector('header.top').append(figures());
  document.getElementById('contents').append(...[['sizes', 'Sizes'], ['trends', 'Trends'], ['tasks', 'Tasks'], ['models', 'Models'],
    ['limits', 'Limits'], ['facts', 'How it was made']].map(([id, name]) => element('a', {href: '#' + id}, name)));
  main.append(
    section('sizes', 'How large circuits are', element('div', {class: 'charts wide'}, edgesAgainstLoss(), edgesAgainstPretraining())),
    section('trends', 'What moves the ratio', gridTable(), element('div', {class: 'charts wide'}, trends()), trendTable()),
    section('tasks', 'Every task', taskTable()),
    section('models', 'Every model', modelTable()),
    section('limits', 'What limits this', element('ul', {class: 'points'}, result.limits.map(text => element('li', {}, visible(text))))),
    section('facts', 'How it was made', facts()));
  document.getElementById('foot').append(
    element('p', {}, `Written ${visible(page.written)} by Filigree ${visible(page.filigree)}. `,
      'The figures are in this file: ', element('code', {}, 'document.getElementById("data")'), ' has them as JSON.'));
}

themeButton();
build();

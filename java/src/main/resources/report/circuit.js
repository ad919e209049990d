// SPDX-License-Identifier: Apache-2.0
'use strict';

// A circuit as a drawing: time runs from left to right, from the tokens of a prompt to the two answers. A residual
// channel is a row, with a hollow dot where the circuit reads it and a full one where it writes it; heads and neurons
// stand between the rows. Items are what can be pointed at, links are weights, streams join a write to later reads.

const STAGES = ['attn_in', 'head', 'attn_out', 'mlp_in', 'mlp_neuron', 'mlp_out'];
const STAGE_NAMES = {
  attn_in: 'read', head: 'heads', attn_out: 'write', mlp_in: 'read', mlp_neuron: 'neurons', mlp_out: 'write',
};
const KIND_NAMES = {
  attn_in: 'read by attention', attn_q: 'query', attn_k: 'key', attn_v: 'value', attn_out: 'written by attention',
  mlp_in: 'read by MLP', mlp_out: 'written by MLP',
};
const MOST_CUE_TOKENS = 8;
const MOST_OTHER_TOKENS = 5;
const MOST_TOKEN_LINKS = 70;
const MOST_LINKS_AT_FIRST = 300;

/** Items, links and columns of a circuit, without a place yet. */
function circuitModel(circuit, headSize) {
  const items = new Map();
  const links = [];
  const add = item => {
    items.set(item.id, Object.assign(item, {into: [], out: [], before: new Set(), after: new Set()}));
    return item;
  };
  for (const node of circuit.nodes) {
    const stage = ['attn_q', 'attn_k', 'attn_v'].includes(node.kind) ? 'head' : node.kind;
    add({
      ...node, id: node.index, stage, column: node.layer * STAGES.length + STAGES.indexOf(stage),
      part: stage === 'head' ? node.channel - node.head * headSize : node.channel,
      residual: ['attn_in', 'attn_out', 'mlp_in', 'mlp_out'].includes(stage),
    });
  }
  const link = (from, to, weight, kind) => {
    const made = {from, to, weight, kind};
    links.push(made);
    from.out.push(made);
    to.into.push(made);
    from.after.add(to);
    to.before.add(from);
  };
  for (const [source, target, weight] of circuit.edges) {
    link(items.get(source), items.get(target), weight, 'edge');
  }

  const rows = new Map();
  for (const item of items.values()) {
    if (item.residual) {
      rows.set(item.channel, [...rows.get(item.channel) || [], item]);
    }
  }
  const last = Math.max(...[...items.values()].map(item => item.column)) + 1;
  for (const row of rows.values()) {
    row.sort((a, b) => a.column - b.column);
    for (const write of row.filter(item => item.stage.endsWith('_out'))) {
      for (const read of row.filter(item => item.stage.endsWith('_in') && item.column > write.column)) {
        write.after.add(read);
        read.before.add(write);
      }
    }
  }

  // Tokens: of the cue's and of the others those that write most.
  const chosen = new Set();
  for (const [most, wanted] of [[MOST_CUE_TOKENS, true], [MOST_OTHER_TOKENS, false]]) {
    const strength = new Map();
    for (const w of circuit.embeddings.filter(e => (e.member !== null) === wanted)) {
      strength.set(w.token, (strength.get(w.token) || 0) + Math.abs(w.weight));
    }
    [...strength].sort((a, b) => b[1] - a[1]).slice(0, most).forEach(([token]) => chosen.add(token));
  }
  const strongest = weights => [...weights].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, MOST_TOKEN_LINKS);
  for (const w of strongest(circuit.embeddings.filter(e => chosen.has(e.token)))) {
    const read = (rows.get(w.channel) || []).filter(item => item.stage.endsWith('_in'));
    if (read.length > 0) {
      const token = items.get('t' + w.token)
        || add({id: 't' + w.token, kind: 'token', stage: 'token', column: -1, text: w.text, member: w.member});
      link(token, read[0], w.weight, 'token');
      for (const item of read) {
        token.after.add(item);
        item.before.add(token);
      }
    }
  }
  for (const w of strongest(circuit.unembeddings)) {
    const written = (rows.get(w.channel) || []).filter(item => item.stage.endsWith('_out'));
    if (written.length > 0) {
      const answer = items.get('a' + w.token)
        || add({id: 'a' + w.token, kind: 'answer', stage: 'answer', column: last, text: w.text, member: w.member});
      link(written.at(-1), answer, w.weight, 'token');
      for (const item of written) {
        item.after.add(answer);
        answer.before.add(item);
      }
    }
  }

  // A query meets the key of its own number in its head, and where they match decides which values are read.
  const heads = new Map();
  for (const item of items.values()) {
    if (item.stage === 'head') {
      const key = `${item.layer}.${item.head}`;
      heads.set(key, [...heads.get(key) || [], item]);
    }
  }
  const pairs = [];
  for (const head of heads.values()) {
    const values = head.filter(item => item.kind === 'attn_v');
    for (const query of head.filter(item => item.kind === 'attn_q')) {
      const key = head.find(item => item.kind === 'attn_k' && item.part === query.part);
      if (key) {
        pairs.push([query, key]);
        for (const end of [query, key]) {
          for (const value of values) {
            end.after.add(value);
            value.before.add(end);
          }
        }
      }
    }
    const order = {attn_q: 0, attn_k: 1, attn_v: 2};
    const paired = new Set(pairs.flat());
    head.sort((a, b) => (a.kind === 'attn_v') - (b.kind === 'attn_v') || paired.has(b) - paired.has(a)
      || a.part - b.part || order[a.kind] - order[b.kind]);
  }
  return {items: [...items.values()], links, rows, heads, pairs};
}

/** Give every item an x and a y; returns the size of the drawing. */
function placeCircuit(model, width) {
  const compact = model.items.length > 90;
  const columns = [...new Set(model.items.map(item => item.column))].sort((a, b) => a - b);
  const narrow = width < 560;
  const end = name => model.items.some(item => item.stage === name) ? (narrow ? 74 : 108) : 26;
  const [left, right, top] = [end('token'), end('answer'), 46];
  const gap = Math.min(210, Math.max(narrow ? 54 : 62, (width - left - right) / Math.max(1, columns.length - 1)));
  const xs = new Map(columns.map((column, i) => [column, left + i * gap]));
  for (const item of model.items) {
    item.x = xs.get(item.column);
  }

  // Rows take the order in which the weights between them and the heads and neurons cross least: every unit goes to
  // the middle of its rows, every row to the middle of its units, again and again.
  const units = [...model.heads.values()];
  for (const item of model.items) {
    if (item.stage === 'mlp_neuron') {
      units.push([item]);
    }
  }
  const unitOf = new Map(units.flatMap(unit => unit.map(item => [item, unit])));
  let order = [...model.rows.keys()].sort(
    (a, b) => model.rows.get(a)[0].column - model.rows.get(b)[0].column || a - b);
  const pulls = [];
  for (const {from, to, weight} of model.links) {
    for (const [unitItem, rowItem] of [[from, to], [to, from]]) {
      if (unitOf.has(unitItem) && rowItem.residual) {
        pulls.push([unitOf.get(unitItem), rowItem.channel, Math.abs(weight)]);
      }
    }
  }
  const place = new Map(order.map((channel, i) => [channel, i]));
  const middle = new Map();
  const average = (of, by, at) => {
    const sums = new Map();
    for (const pull of pulls) {
      const [sum, weight] = sums.get(of(pull)) || [0, 0];
      sums.set(of(pull), [sum + pull[2] * at.get(by(pull)), weight + pull[2]]);
    }
    return sums;
  };
  for (let round = 0; round < 24; round++) {
    for (const [unit, [sum, weight]] of average(p => p[0], p => p[1], place)) {
      middle.set(unit, sum / weight);
    }
    const wanted = average(p => p[1], p => p[0], middle);
    const want = channel => wanted.has(channel) ? wanted.get(channel)[0] / wanted.get(channel)[1] : place.get(channel);
    order = order.map(channel => [channel, want(channel)]).sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(p => p[0]);
    order.forEach((channel, i) => place.set(channel, i));
  }

  const step = compact ? 12 : order.length > 24 ? 17 : 24;
  const thick = compact ? 11 : 16;
  const heightOf = unit => unit[0].stage === 'head' ? unit.length * thick + (compact ? 12 : 22) : thick;
  const stacks = columns.map(column => units.filter(unit => unit[0].column === column)
    .reduce((sum, unit) => sum + heightOf(unit) + 8, 0));
  const ends = ['token', 'answer'].map(stage => 22 * model.items.filter(item => item.stage === stage).length);
  const height = Math.max(order.length * step, ...stacks, ...ends, 90);
  const pace = Math.min(compact ? step : 2 * step, height / Math.max(1, order.length));
  const start = top + (height - order.length * pace) / 2 + pace / 2;
  order.forEach((channel, i) => model.rows.get(channel).forEach(item => { item.y = start + i * pace; }));

  const spread = (things, sizeOf, wish, put) => {
    const sorted = [...things].sort((a, b) => wish(a) - wish(b));
    let low = top;
    const places = sorted.map(thing => {
      const y = Math.max(low, wish(thing) - sizeOf(thing) / 2);
      low = y + sizeOf(thing);
      return y;
    });
    let high = top + height;
    for (let i = sorted.length - 1; i >= 0; i--) {
      places[i] = Math.min(places[i], high - sizeOf(sorted[i]));
      high = places[i];
      put(sorted[i], places[i]);
    }
  };
  const centre = item => {
    const near = [...item.into, ...item.out].map(l => [l.from === item ? l.to : l.from, Math.abs(l.weight)]);
    const total = near.reduce((sum, [, w]) => sum + w, 0);
    return total > 0 ? near.reduce((sum, [other, w]) => sum + w * other.y, 0) / total : top + height / 2;
  };
  for (const column of columns) {
    const here = units.filter(unit => unit[0].column === column);
    spread(here, unit => heightOf(unit) + 8,
      unit => start + (middle.has(unit) ? middle.get(unit) : order.length / 2) * pace,
      (unit, y) => {
        const inner = unit[0].stage === 'head' ? (compact ? 9 : 18) : 0;
        unit.forEach((item, i) => { item.y = y + 4 + inner + thick * (i + 0.5); });
        unit.box = {y: y + 4, height: heightOf(unit)};
      });
  }
  for (const stage of ['token', 'answer']) {
    spread(model.items.filter(item => item.stage === stage), () => 22, centre, (item, y) => { item.y = y + 11; });
  }
  return {columns, xs, gap, compact, narrow, top, height: top + height + 10, width: xs.get(columns.at(-1)) + right};
}

function itemName(item) {
  if (item.stage === 'token') {
    return `token ${tokenText(item.text)}`;
  }
  if (item.stage === 'answer') {
    return `answer ${tokenText(item.text)}`;
  }
  return item.stage === 'head'
    ? `${KIND_NAMES[item.kind]} ${item.part} of head ${item.head}, layer ${item.layer}`
    : item.residual
      ? `residual ${item.channel}, ${KIND_NAMES[item.kind]} of layer ${item.layer}`
      : `neuron ${item.channel}, layer ${item.layer}`;
}

function biasText(item) {
  return (item.bias > 0 ? '+' : '−') + Math.abs(item.bias).toFixed(2).replace(/^0/, '');
}

function clip(text, most) {
  const letters = [...text];
  return letters.length > most ? letters.slice(0, most - 1).join('') + '…' : text;
}

/** The drawing with its slider and side lists, and, if asked for, how to use it. */
function circuitFigure(circuit, headSize, title, hint) {
  const model = circuitModel(circuit, headSize);
  const strengths = model.links.map(l => Math.abs(l.weight)).sort((a, b) => b - a);
  const edges = model.links.filter(l => l.kind === 'edge');
  const most = strengths[0] || 1;
  const byStrength = edges.map(l => Math.abs(l.weight)).sort((a, b) => b - a);
  let threshold = byStrength.length > MOST_LINKS_AT_FIRST ? byStrength[MOST_LINKS_AT_FIRST - 1] : 0;
  let pinned = null;
  let current = null;
  let layout = null;
  let parts = null;

  const slider = element('input', {type: 'range', min: 0, max: 1000, step: 1, value: 0});
  const shown = element('output', {});
  const scroller = element('div', {class: 'scroller'});
  const tip = element('div', {class: 'tip', hidden: true, role: 'status'});
  const detail = element('div', {class: 'detail', 'aria-live': 'polite'});
  // A square root gives the many weak weights most of the way.
  slider.value = Math.round(1000 * Math.sqrt(threshold / most));

  const facts = (item, longest) => {
    const list = (name, links, other) => links.length > 0 && element('div', {},
      element('h5', {}, `${name} ${links.length}`),
      element('ul', {}, [...links].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, longest)
        .map(l => element('li', {class: l.weight < 0 ? 'minus' : 'plus'},
          element('b', {}, signed(l.weight)), ' ', itemName(other(l)))),
      links.length > longest && element('li', {class: 'quiet'}, `and ${links.length - longest} more`)));
    return [
      element('h4', {}, itemName(item)),
      isNumber(item.mean) && element('p', {}, `mean ${signed(item.mean)}`,
        isNumber(item.bias) && item.bias !== 0 ? `, bias ${signed(item.bias)}` : ''),
      item.member && element('p', {}, `of prompt ${item.member.toUpperCase()} alone`),
      list('in', item.into, l => l.from), list('out', item.out, l => l.to)].filter(Boolean);
  };

  const reach = (item, side) => {
    const found = new Set([item]);
    for (const next of found) {
      next[side].forEach(other => found.add(other));
    }
    return found;
  };

  const mark = () => {
    const item = current || pinned;
    parts.root.classList.toggle('marked', item !== null);
    parts.nodes.forEach((node, of) => {
      node.classList.remove('near', 'far');
      node.setAttribute('aria-pressed', of === pinned);
    });
    parts.paths.forEach(path => path.classList.remove('near', 'far'));
    if (item === null) {
      return;
    }
    const before = pinned === item ? reach(item, 'before') : new Set([item, ...item.before]);
    const after = pinned === item ? reach(item, 'after') : new Set([item, ...item.after]);
    parts.nodes.forEach((node, of) => node.classList.add(before.has(of) || after.has(of) ? 'near' : 'far'));
    parts.paths.forEach((path, l) => {
      const on = before.has(l.from) && before.has(l.to) || after.has(l.from) && after.has(l.to);
      path.classList.add(on ? 'near' : 'far');
    });
  };

  const point = item => {
    current = item;
    mark();
    tip.hidden = item === null;
    if (item !== null) {
      tip.replaceChildren(...element('div', {}, facts(item, 5)).childNodes);
      const room = scroller.clientWidth;
      const x = item.x - scroller.scrollLeft;
      tip.style.left = Math.max(4, Math.min(x + 14, room - tip.offsetWidth - 4)) + 'px';
      tip.style.top = item.y + 14 + 'px';
    }
  };

  const pin = item => {
    pinned = pinned === item ? null : item;
    detail.replaceChildren(...(pinned === null ? [] : facts(pinned, 400)));
    tip.hidden = true;
    current = null;
    mark();
  };

  const filter = () => {
    threshold = most * (slider.value / 1000) ** 2;
    let seen = 0;
    parts.paths.forEach((path, l) => {
      const on = Math.abs(l.weight) >= threshold * 0.999999;
      path.classList.toggle('hidden', !on);
      seen += on && l.kind === 'edge' ? 1 : 0;
    });
    shown.textContent = `|w| ≥ ${decimal(threshold, 3)}: ${count(seen)} of ${count(edges.length)} edges`;
  };

  // One stop for Tab; the arrows go from item to item.
  const step = (item, key) => {
    const column = model.items.filter(other => other.column === item.column).sort((a, b) => a.y - b.y);
    const at = column.indexOf(item);
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      return column[at + (key === 'ArrowDown' ? 1 : -1)];
    }
    const i = layout.columns.indexOf(item.column) + (key === 'ArrowRight' ? 1 : -1);
    return model.items.filter(other => other.column === layout.columns[i])
      .sort((a, b) => Math.abs(a.y - item.y) - Math.abs(b.y - item.y))[0];
  };

  const wire = (node, item) => {
    node.addEventListener('pointerenter', event => event.pointerType !== 'touch' && point(item));
    node.addEventListener('pointerleave', () => point(null));
    node.addEventListener('focus', () => {
      parts.nodes.forEach((other, of) => other.setAttribute('tabindex', of === item ? 0 : -1));
      if (node.matches(':focus-visible')) {
        point(item);
      }
    });
    node.addEventListener('blur', () => point(null));
    node.addEventListener('click', () => pin(item));
    node.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        pin(item);
      } else if (event.key === 'Escape') {
        if (pinned !== null) {
          pin(pinned);
        }
        point(null);
      } else if (event.key.startsWith('Arrow')) {
        const next = step(item, event.key);
        if (next) {
          parts.nodes.get(next).focus();
        }
      } else {
        return;
      }
      event.preventDefault();
    });
  };

  const render = () => {
    layout = placeCircuit(model, scroller.clientWidth || 900);
    parts = drawCircuit(model, layout, most, title);
    parts.nodes.forEach(wire);
    scroller.replaceChildren(parts.root);
    filter();
    mark();
  };

  slider.addEventListener('input', filter);
  let width = 0;
  new ResizeObserver(() => {
    // Heights follow from widths, so only a new width is news.
    if (scroller.clientWidth !== width) {
      width = scroller.clientWidth;
      render();
    }
  }).observe(scroller);

  return element('figure', {class: 'circuit'},
    element('figcaption', {}, element('b', {}, title)),
    element('div', {class: 'controls'},
      element('label', {}, 'Hide weights below ', slider), shown),
    element('div', {class: 'stage'}, scroller, tip),
    element('p', {class: 'legend'},
      element('span', {class: 'plus'}, element('i', {class: 'stroke'}), 'positive weight'),
      element('span', {class: 'minus'}, element('i', {class: 'stroke'}), 'negative weight'),
      element('span', {}, '○ reads, ● writes a residual channel'),
      element('span', {}, element('i', {class: 'stroke stream'}), 'the same channel later'),
      element('span', {}, '◆ neuron'),
      element('span', {}, element('i', {class: 'stroke dashed'}), 'query meets key'),
      element('span', {}, element('i', {class: 'ring'}), 'has a bias')),
    hint && element('p', {class: 'quiet hint'},
      'Point at an item for its weights, click to follow it up- and downstream. ',
      'With keys: Tab into the drawing, arrows to move, Enter to pin, Escape to let go.'),
    detail);
}

/** The SVG of a placed circuit; returns its root, and its nodes and paths by item and link. */
function drawCircuit(model, layout, most, title) {
  const {columns, xs, gap, compact, narrow, top, height, width} = layout;
  const root = svg('svg', {
    width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', class: compact ? 'graph compact' : 'graph',
    'aria-label': `${title}: ${model.items.length} items, ${model.links.length} weights`,
  });
  const ground = svg('g', {class: 'ground'});
  let band = null;
  for (const column of columns) {
    const x = xs.get(column);
    const layer = Math.floor(column / STAGES.length);
    const stage = STAGES[column % STAGES.length];
    const inside = model.items.some(item => item.column === column && !['token', 'answer'].includes(item.stage));
    if (!inside) {
      ground.append(svg('text', {x, y: 34, 'text-anchor': column < 0 ? 'end' : 'start', class: 'stagename'},
        column < 0 ? 'tokens' : 'answers'));
      band = null;
      continue;
    }
    const half = `${layer}${stage.startsWith('mlp') ? 'm' : 'a'}`;
    if (band === null || band.half !== half) {
      const name = stage.startsWith('mlp') ? `layer ${layer} MLP` : `layer ${layer} attention`;
      band = {half, from: x, rect: svg('rect', {class: 'band', y: 2, height: height - 4, rx: 6}), text: svg(
        'text', {class: 'bandname', y: 17, 'text-anchor': 'middle'}), name};
      ground.append(band.rect, band.text);
    }
    const pad = Math.min(gap / 2 - 3, 46);
    const wide = x - band.from + 2 * pad;
    band.rect.setAttribute('x', band.from - pad);
    band.rect.setAttribute('width', wide);
    band.text.setAttribute('x', (band.from + x) / 2);
    band.text.textContent = wide > 104 ? band.name : band.name.replace('layer ', 'L').replace('attention', 'attn');
    ground.append(svg('text', {x, y: 34, 'text-anchor': 'middle', class: 'stagename'}, STAGE_NAMES[stage]));
  }
  for (const row of model.rows.values()) {
    if (row.length > 1) {
      ground.append(svg('line', {class: 'stream', x1: row[0].x, x2: row.at(-1).x, y1: row[0].y, y2: row[0].y}));
    }
  }
  root.append(ground);

  const spoken = !compact && !narrow && model.items.length <= 60;
  const partHalf = compact ? 8 : spoken && model.items.some(item => item.stage === 'head' && item.bias) ? 33 : 19;
  const paths = new Map();
  const reachOf = item => item.stage === 'head' ? partHalf : item.residual ? 5 : 6;
  for (const l of [...model.links].sort((a, b) => Math.abs(a.weight) - Math.abs(b.weight))) {
    const x1 = l.from.x + (l.from.stage === 'token' ? 0 : reachOf(l.from));
    const x2 = l.to.x - (l.to.stage === 'answer' ? 0 : reachOf(l.to));
    const bend = Math.max(16, (x2 - x1) * 0.45);
    const size = Math.abs(l.weight) / most;
    const path = svg('path', {
      class: `link ${l.weight < 0 ? 'minus' : 'plus'}`,
      d: `M${x1} ${l.from.y}C${x1 + bend} ${l.from.y} ${x2 - bend} ${l.to.y} ${x2} ${l.to.y}`,
      'stroke-width': (0.7 + (compact ? 2.4 : 4.3) * size).toFixed(2),
      style: `--strength:${((l.kind === 'token' ? 0.55 : 1) * (0.3 + 0.65 * Math.sqrt(size))).toFixed(2)}`,
    }, svg('title', {}, `${itemName(l.from)} to ${itemName(l.to)}: ${signed(l.weight)}`));
    paths.set(l, path);
    root.append(path);
  }

  for (const unit of model.heads.values()) {
    const half = compact ? 13 : partHalf + 7;
    root.append(svg('rect', {
      class: 'headbox', x: unit[0].x - half, width: 2 * half, y: unit.box.y, height: unit.box.height, rx: 5,
    }));
    root.append(svg('text', {
      class: 'headname', x: unit[0].x, y: unit.box.y + (compact ? 8 : 14), 'text-anchor': 'middle',
    }, compact ? String(unit[0].head) : `head ${unit[0].head}`));
  }
  for (const [query, key] of model.pairs) {
    const x = query.x + partHalf - 1;
    const out = compact ? 8 : 13;
    root.append(svg('path', {class: 'match', d: `M${x} ${query.y}C${x + out} ${query.y} ${x + out} ${key.y} ${x} ${key.y}`},
      svg('title', {}, `${itemName(query)} meets ${itemName(key)}`)));
  }

  const nodes = new Map();
  const named = new Set();
  for (const item of [...model.items].sort((a, b) => a.column - b.column || a.y - b.y)) {
    const biased = isNumber(item.bias) && item.bias !== 0;
    const node = svg('g', {
      class: `item ${item.stage} ${biased ? (item.bias < 0 ? 'bias minus' : 'bias plus') : ''} ${item.member ? 'cue' : ''}`,
      role: 'button', tabindex: nodes.size === 0 ? 0 : -1, 'data-item': item.id,
      'aria-label': itemName(item) + (biased ? `, bias ${signed(item.bias)}` : ''),
      transform: `translate(${item.x} ${item.y})`,
    });
    if (item.stage === 'token' || item.stage === 'answer') {
      const text = clip(tokenText(item.text), narrow ? 6 : 9) + (item.member ? ` ${item.member.toUpperCase()}` : '');
      const long = 7.3 * [...text].length + 10;
      const from = item.stage === 'token' ? -long : 0;
      node.append(svg('rect', {class: 'pill', x: from, width: long, y: -9, height: 18, rx: 4}),
        svg('text', {class: 'code', x: from + long / 2, y: 4, 'text-anchor': 'middle'}, text));
    } else if (item.stage === 'head') {
      node.append(svg('rect', {class: 'shape', x: -partHalf, width: 2 * partHalf, y: compact ? -4.5 : -7, rx: 3,
        height: compact ? 9 : 14}));
      const text = compact ? item.kind.at(-1) : `${item.kind.at(-1)} ${item.part}`;
      node.append(svg('text', {class: 'inside', y: compact ? 2.7 : 3.7, 'text-anchor': 'middle'}, text,
        biased && spoken && svg('tspan', {class: 'biasname', dx: 4}, biasText(item))));
    } else if (item.stage === 'mlp_neuron') {
      const r = compact ? 4.5 : 6.5;
      node.append(svg('path', {class: 'shape', d: `M0 ${-r}L${r} 0L0 ${r}L${-r} 0Z`}));
      if (!compact) {
        node.append(svg('text', {class: 'label halo', y: -8, 'text-anchor': 'middle'}, item.channel));
      }
    } else {
      node.append(svg('circle', {class: 'shape', r: compact ? 3.6 : 4.6}));
      if (!compact && !named.has(item.channel)) {
        named.add(item.channel);
        node.append(svg('text', {class: 'label halo', y: -7, 'text-anchor': 'middle'}, item.channel));
      }
    }
    if (biased && spoken && item.stage !== 'head') {
      node.append(svg('text', {class: 'biasname halo', x: 8, y: 14}, biasText(item)));
    }
    // Fingers need more room than dots.
    node.append(svg('rect', {class: 'hit', x: -11, y: compact ? -5.5 : -8, width: 22, height: compact ? 11 : 16}));
    nodes.set(item, node);
    root.append(node);
  }
  return {root, nodes, paths, top};
}

// SPDX-License-Identifier: Apache-2.0
'use strict';

// Line charts and scatters, as SVG that scales with its column.

// Round numbers that divide a range into about n parts.
function ticks(low, high, n) {
  const raw = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(+(i * step).toPrecision(10));
  }
  return found;
}

function powersOfTen(low, high) {
  const within = factors => {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); 10 ** e <= high * 1.001; e++) {
      found.push(...factors.map(f => +(f * 10 ** e).toPrecision(3)).filter(v => v >= low * 0.999 && v <= high * 1.001));
    }
    return found;
  };
  return [[1, 2, 5], [1, 5]].map(within).find(found => found.length <= 6) || within([1]);
}

/**
 * A line chart against tokens.
 * series: [{label, colour (class), points: [[x, y]], faint, dots}]; zero: the axis begins there
 */
function lineChart({title, unit, series, log, zero, format}) {
  const [width, height, left, right, top, bottom] = [380, 230, 46, 12, 10, 30];
  const drawn = series
    .map(s => ({...s, points: s.points.filter(([, y]) => isNumber(y) && (!log || y > 0))}))
    .filter(s => s.points.length > 0);
  const caption = element('figcaption', {}, element('b', {}, title), ' ', element('span', {class: 'unit'}, unit));
  if (drawn.length === 0) {
    return element('figure', {class: 'chart'}, caption, element('p', {class: 'quiet'}, 'No figures yet.'));
  }
  const all = drawn.flatMap(s => s.points);
  const xMax = Math.max(...all.map(p => p[0]), 1);
  let yMin = Math.min(...all.map(p => p[1]));
  let yMax = Math.max(...all.map(p => p[1]));
  if (zero) {
    yMin = 0;
  }
  if (yMin === yMax) {
    yMin = log ? yMin / 2 : yMin - 1;
    yMax = log ? yMax * 2 : yMax + 1;
  }
  const scale = v => log ? Math.log(v / yMin) / Math.log(yMax / yMin) : (v - yMin) / (yMax - yMin);
  const x = v => left + (width - left - right) * v / xMax;
  const y = v => height - bottom - (height - top - bottom) * scale(v);
  const frame = svg('g', {class: 'frame'});
  for (const value of log ? powersOfTen(yMin, yMax) : ticks(yMin, yMax, 4)) {
    frame.append(
      svg('line', {x1: left, x2: width - right, y1: y(value), y2: y(value)}),
      svg('text', {x: left - 6, y: y(value) + 4, 'text-anchor': 'end'}, format(value)));
  }
  for (const value of ticks(0, xMax, 4)) {
    frame.append(svg('text', {
      x: x(value), y: height - bottom + 17,
      'text-anchor': value === 0 ? 'start' : x(value) > width - right - 16 ? 'end' : 'middle',
    }, short(value)));
  }
  const lines = drawn.map(s => svg('g', {class: `${s.colour}${s.faint ? ' faint' : ''}`},
    svg('path', {class: 'line', d: 'M' + s.points.map(p => `${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join('L')}),
    s.dots && s.points.map(p => svg('circle', {class: 'dot', cx: x(p[0]), cy: y(p[1]), r: 2.6}))));
  const summary = drawn.map(s => `${s.label}: from ${format(s.points[0][1])} to ${format(s.points.at(-1)[1])}`);
  return element('figure', {class: 'chart'}, caption,
    svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${title}. ${summary.join('; ')}`},
      frame, lines),
    element('ul', {class: 'keys'}, drawn.map(s => element('li', {class: s.colour},
      element('i', {class: s.faint ? 'swatch faint' : s.dots ? 'swatch dotted' : 'swatch'}), s.label, ' ',
      element('b', {}, format(s.points.at(-1)[1]))))));
}

/** Circuit against whole model: points [[model, circuit, ring]], with the diagonal on which both agree. */
function scatter({title, colour, points, note}) {
  const [size, left, bottom, edge] = [300, 40, 34, 8];
  const shown = points.filter(p => isNumber(p[0]) && isNumber(p[1]));
  const reach = Math.max(1, ...shown.flatMap(p => [Math.abs(p[0]), Math.abs(p[1])])) * 1.05;
  const x = v => left + (size - left - edge) * (v + reach) / (2 * reach);
  const y = v => size - bottom - (size - bottom - edge) * (v + reach) / (2 * reach);
  const frame = svg('g', {class: 'frame'});
  for (const value of ticks(-reach, reach, 8)) {
    frame.append(
      svg('line', {x1: left, x2: size - edge, y1: y(value), y2: y(value), class: value === 0 ? 'zero' : null}),
      svg('line', {y1: edge, y2: size - bottom, x1: x(value), x2: x(value), class: value === 0 ? 'zero' : null}),
      svg('text', {x: left - 6, y: y(value) + 4, 'text-anchor': 'end'}, decimal(value, reach < 2 ? 1 : 0)),
      svg('text', {x: x(value), y: size - bottom + 15, 'text-anchor': 'middle'}, decimal(value, reach < 2 ? 1 : 0)));
  }
  frame.append(
    svg('line', {class: 'diagonal', x1: x(-reach), y1: y(-reach), x2: x(reach), y2: y(reach)}),
    svg('text', {x: size - edge, y: size - 4, 'text-anchor': 'end'}, 'whole model'),
    svg('text', {x: left + 4, y: edge + 10}, 'circuit'));
  return element('figure', {class: 'chart scatter'},
    element('figcaption', {}, element('b', {}, title), ' ', element('span', {class: 'unit'}, note)),
    svg('svg', {viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': `${title}. ${note}`},
      frame,
      svg('g', {class: colour}, shown.map(p => svg('circle', {class: p[2] ? 'point ring' : 'point', cx: x(p[0]), cy: y(p[1]), r: 2.6})))));
}

// Places for ticks on an axis from low to high: powers of ten and their parts, or round numbers.
function axisTicks({log, values}, low, high) {
  if (values) {
    return [...new Set(values)];
  }
  const powers = log ? powersOfTen(low, high) : [];
  return powers.length > 2 ? powers : ticks(low, high, 4);
}

/**
 * Points with two axes of any kind, joined in the order they are given; a point without its y is a gap.
 * x, y: {name, log, format, values (ticks, else round numbers)}
 * series: [{label, colour (class), dashed, points: [{x, y, low, high, label}]}]; low and high are the ends of an interval
 * note: one sentence on what to see
 */
function pointChart({title, unit, x, y, series, note}) {
  const [width, height, left, right, top, bottom] = [420, 300, 50, 18, 26, 44];
  const fits = p => isNumber(p.x) && isNumber(p.y) && (!x.log || p.x > 0) && (!y.log || p.y > 0);
  const drawn = series.map(s => ({...s, all: s.points, points: s.points.filter(fits)})).filter(s => s.points.length > 0);
  const caption = element('figcaption', {}, element('b', {}, title), ' ', element('span', {class: 'unit'}, unit));
  if (drawn.length === 0) {
    return element('figure', {class: 'chart'}, caption, element('p', {class: 'quiet'}, 'No figures: no task is in common.'));
  }
  const all = drawn.flatMap(s => s.points);
  const span = ({log}, values, margin) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (log) {
      const room = high > low ? (high / low) ** margin : 1.5;
      return [low / room, high * room];
    }
    const room = high > low ? (high - low) * margin : Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
  };
  const [xMin, xMax] = span(x, all.map(p => p.x), 0.08);
  const [yMin, yMax] = span(y, all.flatMap(p => [p.y, p.low, p.high].filter(isNumber)), 0.1);
  const scale = ({log}, value, low, high) => log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const px = v => left + (width - left - right) * scale(x, v, xMin, xMax);
  const py = v => height - bottom - (height - top - bottom) * scale(y, v, yMin, yMax);
  const frame = svg('g', {class: 'frame'});
  for (const value of axisTicks(y, yMin, yMax)) {
    frame.append(
      svg('line', {x1: left, x2: width - right, y1: py(value), y2: py(value)}),
      svg('text', {x: left - 6, y: py(value) + 4, 'text-anchor': 'end'}, y.format(value)));
  }
  for (const value of axisTicks(x, xMin, xMax)) {
    frame.append(
      svg('line', {x1: px(value), x2: px(value), y1: top, y2: height - bottom}),
      svg('text', {x: px(value), y: height - bottom + 16, 'text-anchor': 'middle'}, x.format(value)));
  }
  frame.append(
    svg('text', {x: width - right, y: height - 8, 'text-anchor': 'end'}, x.name),
    svg('text', {x: left, y: 14, 'text-anchor': 'middle'}, y.name));
  // Intervals of series at the same x stand side by side.
  const aside = i => x.values ? 5 * (i - (drawn.length - 1) / 2) : 0;
  const path = points => points.map((p, i) => fits(p)
    ? `${i > 0 && fits(points[i - 1]) ? 'L' : 'M'}${px(p.x).toFixed(1)} ${py(p.y).toFixed(1)}` : '').join('');
  const marks = drawn.map((s, i) => svg('g', {class: s.colour},
    svg('path', {class: s.dashed ? 'line dashed' : 'line', d: path(s.all)}),
    s.points.map(p => [
      isNumber(p.low) && isNumber(p.high)
        && svg('line', {class: 'interval', x1: px(p.x) + aside(i), x2: px(p.x) + aside(i), y1: py(p.low), y2: py(p.high)}),
      svg('circle', {class: 'dot', cx: px(p.x), cy: py(p.y), r: 3.6}, svg('title', {}, p.title || '')),
      p.label && svg('text', {class: 'halo', x: px(p.x), y: py(p.y) - 8, 'text-anchor': px(p.x) > width - 60 ? 'end' : 'middle'}, p.label)])));
  const summary = drawn.map(s => `${s.label}: ${s.points.map(p => `${x.format(p.x)}, ${y.format(p.y)}`).join('; ')}`);
  return element('figure', {class: 'chart'}, caption,
    svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${title}. ${summary.join('. ')}`}, frame, marks),
    element('ul', {class: 'keys'}, drawn.map(s => element('li', {class: s.colour},
      element('i', {class: 'swatch dotted'}), s.label))),
    note && element('p', {class: 'hint quiet'}, note));
}

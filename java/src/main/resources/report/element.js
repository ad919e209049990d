// SPDX-License-Identifier: Apache-2.0
'use strict';

// Elements, and how numbers and foreign text are written. Nothing on this page sets markup from text: whatever comes
// from a corpus, a task or a file name goes through visible() and ends as a text node or an attribute.

const SVG = 'http://www.w3.org/2000/svg';

function element(name, attributes, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function furnish(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(key, value === true ? '' : value);
    }
  }
  node.append(...children.flat(2).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

// Control characters and those that change the direction of text are shown by their number.
function visible(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffd]/g,
    c => 'U+' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0'));
}

// One token, with its spaces and line ends in sight.
function tokenText(text) {
  return visible(String(text).replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/ /g, '·'));
}

function isNumber(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

function count(value) {
  return isNumber(value) ? Math.round(value).toLocaleString('en') : '–';
}

function decimal(value, digits) {
  return isNumber(value) ? value.toFixed(digits).replace('-', '−') : '–';
}

function signed(value) {
  return isNumber(value) ? (value > 0 ? '+' : '') + decimal(value, Math.abs(value) >= 100 ? 0 : 3) : '–';
}

function percent(value) {
  return isNumber(value) ? (100 * value).toFixed(value > 0 && value < 0.0995 ? 1 : 0) + '%' : '–';
}

function ratio(value) {
  return isNumber(value) ? (value >= 10 ? count(value) : decimal(value, 1)) + '×' : '–';
}

// 4100000 as 4.1 M.
function short(value) {
  for (const [size, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (Math.abs(value) >= size) {
      return (value / size).toFixed(value / size >= 100 ? 0 : 1).replace(/\.0$/, '') + ' ' + letter;
    }
  }
  return String(+value.toPrecision(2));
}

function duration(seconds) {
  if (!isNumber(seconds)) {
    return '–';
  }
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`;
}

// A commit by its first digits; a working tree with changes keeps its mark.
function commit(name) {
  return visible(name).replace(/^([0-9a-f]{12})[0-9a-f]*/, '$1');
}

// System, light, dark, and round again.
function themeButton() {
  const button = document.getElementById('theme');
  const themes = ['system', 'light', 'dark'];
  let at = 0;
  button.addEventListener('click', () => {
    at = (at + 1) % themes.length;
    document.documentElement.dataset.theme = themes[at];
    button.textContent = `Theme: ${themes[at]}`;
  });
}

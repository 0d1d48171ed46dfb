import { shortText } from './cells.mjs';

const WIDTH = 760;
const FONT = 'font-family="system-ui, sans-serif" font-size="13"';
const TITLE_HEIGHT = 34;
/** With a paper of its own: the page around it may be light where the reader's system is dark. */
const STYLE = `<style>
.paper { fill: #ffffff } .text { fill: #24292f } .quiet { fill: #656d76 } .rule { stroke: #d0d7de }
.ours { fill: #1a7f64; stroke: #1a7f64 }
.other0 { fill: #8c959f; stroke: #8c959f } .other1 { fill: #b35900; stroke: #b35900 } .other2 { fill: #3b6fc9; stroke: #3b6fc9 }
.other3 { fill: #9a4fb5; stroke: #9a4fb5 } .other4 { fill: #a8891c; stroke: #a8891c } .other5 { fill: #c4457d; stroke: #c4457d }
.other6 { fill: #5a7d8c; stroke: #5a7d8c }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } .text { fill: #e6edf3 } .quiet { fill: #8d96a0 } .rule { stroke: #30363d }
.ours { fill: #3fb68b; stroke: #3fb68b }
}
</style>`;

/** @param {import('../types.mjs').Picture} picture */
export function drawPicture(picture) {
  return picture.type === 'bars' ? drawBars(picture) : drawLines(picture);
}

/** @param {import('../types.mjs').Bars} picture */
function drawBars({ title, unit, bars }) {
  const [left, right, step, thickness] = [270, 80, 26, 16];
  const scale = (WIDTH - left - right) / Math.max(...bars.map(({ value }) => value));
  const marks = bars.flatMap(({ name, value, isOurs }, index) => {
    const y = TITLE_HEIGHT + index * step;
    const width = Math.max(1, value * scale);
    return [
      text(left - 10, y + 12, name, { anchor: 'end' }),
      `<rect class="${isOurs ? 'ours' : 'other0'}" stroke="none" x="${left}" y="${y}" width="${round(width)}" height="${thickness}" rx="2"/>`,
      text(left + width + 6, y + 12, shortText(value)),
    ];
  });
  return svg(TITLE_HEIGHT + bars.length * step + 6, `${title} (${unit})`, marks);
}

/** @param {import('../types.mjs').Lines} picture */
function drawLines({ title, unit, across, ticks, lines }) {
  const [left, right, bottom, height] = [60, 240, 46, 300];
  const top = TITLE_HEIGHT + 6;
  const highest = niceAbove(Math.max(...lines.flatMap(({ values }) => values)));
  const x = (/** @type {number} */ index) => left + (index * (WIDTH - left - right)) / Math.max(1, ticks.length - 1);
  const y = (/** @type {number} */ value) => height - bottom - (value / highest) * (height - bottom - top);
  const axis = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    `<line class="rule" x1="${left}" x2="${WIDTH - right}" y1="${round(y(share * highest))}" y2="${round(y(share * highest))}"/>`,
    text(left - 8, y(share * highest) + 4, shortText(share * highest), { anchor: 'end', style: 'quiet' }),
  ]);
  const places = ticks.map((tick, index) =>
    text(x(index), height - bottom + 18, tick, { anchor: 'middle', style: 'quiet' }),
  );
  const axisName = text((left + WIDTH - right) / 2, height - 8, across, { anchor: 'middle', style: 'quiet' });
  const labels = spread(lines.map(({ values }) => y(values.at(-1) ?? 0)));
  const marks = lines.flatMap(({ name, values, isOurs }, index) => {
    const colour = isOurs ? 'ours' : `other${index % 7}`;
    const points = values.map((value, place) => `${round(x(place))},${round(y(value))}`).join(' ');
    return [
      `<polyline class="${colour}" style="fill: none" stroke-width="${isOurs ? 3 : 2}" points="${points}"/>`,
      ...values.map(
        (value, place) => `<circle class="${colour}" cx="${round(x(place))}" cy="${round(y(value))}" r="3"/>`,
      ),
      `<circle class="${colour}" cx="${WIDTH - right + 14}" cy="${round((labels[index] ?? 0) - 4)}" r="4"/>`,
      text(WIDTH - right + 24, labels[index] ?? 0, name),
    ];
  });
  return svg(height, `${title} (${unit})`, [...axis, ...places, axisName, ...marks]);
}

/**
 * Moves labels apart that would cover each other, in their order from top to bottom, and keeps them off the axis.
 * @param {number[]} heights
 */
function spread(heights) {
  const gap = 17;
  const order = heights.map((_, index) => index).sort((a, b) => (heights[b] ?? 0) - (heights[a] ?? 0));
  const placed = [...heights];
  let lowest = Number.POSITIVE_INFINITY;
  for (const index of order) {
    lowest = Math.min((heights[index] ?? 0) + 4, lowest - gap);
    placed[index] = lowest;
  }
  return placed;
}

/**
 * The next 1, 2, 4, 5 or 8 times a power of ten.
 * @param {number} value
 */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((factor) => factor * power).find((nice) => nice >= value) ?? value;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {{ anchor?: string, style?: string }} [options]
 */
function text(x, y, content, { anchor = 'start', style = 'text' } = {}) {
  return `<text class="${style}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

/**
 * @param {number} height
 * @param {string} title
 * @param {string[]} marks
 */
function svg(height, title, marks) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" ${FONT}>`,
    `<title>${escapeXml(title)}</title>`,
    STYLE,
    `<rect class="paper" width="${WIDTH}" height="${height}" rx="6"/>`,
    `<text class="text" x="10" y="20" font-weight="600">${escapeXml(title)}</text>`,
    ...marks,
    '</svg>\n',
  ].join('\n');
}

/** @param {string} content */
function escapeXml(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

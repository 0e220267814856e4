// Results as SVG: bars of one figure, and dots of several on a logarithmic axis. Each stands on a ground of its own, light or
// dark as the reader's scheme is, so that it can be read on any page.
import { columnsOf, distinct, medians, type PeerNote, type Results } from "./results.ts";

const WIDTH = 760;
const LABEL_WIDTH = 196;
const VALUE_WIDTH = 90;
const BAR_HEIGHT = 18;
const BAR_GAP = 6;
const HEAD_HEIGHT = 50;
const FOOT_HEIGHT = 26;
const COLOURS = ["#2da44e", "#bf8700", "#cf222e", "#8250df"];
const STYLE =
  ".g{fill:#fff;stroke:#d0d7de}text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:14px}" +
  ".x{stroke:#8c959f;stroke-opacity:.4}.o{fill:#0969da;stroke:#0969da}.p{fill:#8c959f;stroke:#8c959f}" +
  ".b{fill:#d8dee4;stroke:#d8dee4}.n{fill:none;stroke-dasharray:3 2}.l{stroke:#8c959f;stroke-width:2}" +
  "@media(prefers-color-scheme:dark){.g{fill:#0d1117;stroke:#30363d}text{fill:#c9d1d9}.b{fill:#30363d;stroke:#30363d}" +
  ".o{fill:#58a6ff;stroke:#58a6ff}}";

export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

function text(x: number, y: number, words: string, extra = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${escaped(words)}</text>`;
}

function drawing(height: number, title: string, parts: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `role="img" aria-label="${escaped(title)}"><style>${STYLE}</style>` +
    `<rect class="g" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>` +
    `${text(12, 22, title, 'class="t"')}${parts.join("")}</svg>\n`
  );
}

interface Line {
  readonly peer: PeerNote;
  /** By series; of bars there is one. */
  readonly values: Readonly<Record<string, number>>;
}

const labelOf = ({ title, isDurable }: PeerNote): string => (isDurable ? title : `${title} *`);
const CLASSES = { wasq: "o", peer: "p", bare: "b" } as const;
/** What is not durable has its outline only: it did less. */
const classOf = ({ role, isDurable }: PeerNote): string => `${CLASSES[role]}${isDurable ? "" : " n"}`;

function label({ peer }: Line, y: number): string {
  const weight = peer.role === "wasq" ? ' font-weight="600"' : "";
  return text(LABEL_WIDTH - 8, y, labelOf(peer), `text-anchor="end"${weight}`);
}

function footnote(lines: readonly Line[], y: number): string[] {
  return lines.some(({ peer }) => !peer.isDurable) ? [text(12, y, "* not durable when it is confirmed")] : [];
}

function bars(title: string, lines: readonly Line[], field: string): string {
  const most = Math.max(...lines.map(({ values }) => values[field] ?? 0));
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const parts = lines.map((line, i) => {
    const y = HEAD_HEIGHT + i * (BAR_HEIGHT + BAR_GAP);
    const value = line.values[field] ?? 0;
    const width = Math.max(1, (value / most) * room);
    const shape = `x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"`;
    const bar = `<rect class="${classOf(line.peer)}" ${shape}/>`;
    const nothing = line.values["nothingWithinSeconds"];
    const words =
      nothing === undefined ? Math.round(value).toLocaleString("en-US") : `nothing within ${nothing.toFixed(1)} s`;
    return label(line, y + 13) + bar + text(LABEL_WIDTH + width + 8, y + 13, words);
  });
  const height = HEAD_HEIGHT + lines.length * (BAR_HEIGHT + BAR_GAP) + FOOT_HEIGHT;
  return drawing(height, title, [...parts, ...footnote(lines, height - 10)]);
}

interface Series {
  readonly field: string;
  readonly name: string;
}

/** @param unit behind the axis's numbers */
function dots(title: string, lines: readonly Line[], series: readonly Series[], unit: string): string {
  const all = lines.flatMap(({ values }) => series.map(({ field }) => values[field] ?? Number.NaN));
  const known = all.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...known)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...known))));
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH / 2;
  const x = (value: number): number => LABEL_WIDTH + ((Math.log10(value) - low) / (high - low)) * room;
  const bottom = HEAD_HEIGHT + 18 + lines.length * (BAR_HEIGHT + BAR_GAP);
  const parts: string[] = [];
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power).toFixed(1);
    parts.push(`<line class="x" x1="${at}" y1="${HEAD_HEIGHT + 10}" x2="${at}" y2="${bottom}"/>`);
    parts.push(
      text(Number(at), bottom + 14, `${(10 ** power).toLocaleString("en-US")}${unit}`, 'text-anchor="middle"'),
    );
  }
  for (const [i, line] of lines.entries()) {
    const y = HEAD_HEIGHT + 18 + i * (BAR_HEIGHT + BAR_GAP) + BAR_HEIGHT / 2;
    parts.push(label(line, y + 4));
    const places = series
      .map(({ field }) => line.values[field] ?? 0)
      .map((value) => (value > 0 ? x(value) : undefined));
    const there = places.filter((place) => place !== undefined);
    const ends = [Math.min(...there), Math.max(...there)].map((end) => end.toFixed(1));
    parts.push(`<line class="l" x1="${ends[0]}" y1="${y}" x2="${ends[1]}" y2="${y}"/>`);
    for (const [at, place] of places.entries()) {
      if (place !== undefined) parts.push(dot(place, y, at));
    }
  }
  let at = LABEL_WIDTH;
  for (const [i, { name }] of series.entries()) {
    parts.push(dot(at, 42, i), text(at + 9, 46, name));
    at += 34 + name.length * 7;
  }
  const height = bottom + 40;
  return drawing(height, title, [...parts, ...footnote(lines, height - 10)]);
}

const dot = (x: number, y: number, index: number): string =>
  `<circle cx="${x.toFixed(1)}" cy="${y}" r="5" fill="${COLOURS[index % COLOURS.length]}"/>`;

const QUANTILES: readonly Series[] = [
  { field: "p50", name: "p50" },
  { field: "p99", name: "p99" },
  { field: "p999", name: "p99.9" },
];
/** Of a backlog: what is drawn. */
const OF_BACKLOG = [
  { field: "rssPerMessage", title: "Memory for a queued message, bytes" },
  { field: "restartMs", title: "From the start after kill -9 to the first message, ms" },
];

/** One for each shape, and for what a backlog costs. */
export function plots(results: Results, titleOf: (name: string) => string): Plot[] {
  const made: Plot[] = [];
  for (const name of distinct(results.rows.map((row) => row.case))) {
    if (name === "pauses" || name === "syncs") continue;
    for (const shape of distinct(results.rows.filter((row) => row.case === name).map((row) => row.shape))) {
      const file = (about: string): string => `${name}-${about.replaceAll(/[^\w]+/g, "-")}`;
      const add = (about: string, title: string, field: string): void => {
        const lines = linesOf(results, name, shape, field);
        if (lines.length === 0) return;
        const svg = name === "latency" ? dots(title, lines, QUANTILES, " ms") : bars(title, lines, field);
        made.push({ name: file(about), title, svg });
      };
      if (name === "backlog") {
        for (const { field, title } of OF_BACKLOG) add(`${shape}-${field}`, `${title}: ${shape}`, field);
      } else add(shape, `${titleOf(name)}: ${shape}`, columnsOf(name)[0]?.figure ?? "");
    }
  }
  const windows = overWindows(results, titleOf);
  return windows === undefined ? made : [...made, windows];
}

function linesOf(results: Results, name: string, shape: string, field: string): Line[] {
  return results.peers.flatMap((peer) => {
    const rows = results.rows.filter((row) => row.case === name && row.shape === shape && row.peer === peer.name);
    const values = medians(rows);
    return values === undefined || Number.isNaN(values[field] ?? Number.NaN) ? [] : [{ peer, values }];
  });
}

/** Publishing by what is in flight, in one: who leads changes with it. */
function overWindows(results: Results, titleOf: (name: string) => string): Plot | undefined {
  const prefix = "256 B, ";
  const all = results.rows.filter((row) => row.case === "publish" && row.shape.startsWith(prefix));
  const series = distinct(all.map(({ shape }) => shape)).map((shape) => ({
    field: shape,
    name: shape.slice(prefix.length),
  }));
  if (series.length === 0) return undefined;
  const lines = results.peers.flatMap((peer) => {
    const values = series.map(({ field }) => {
      const figures = medians(all.filter((row) => row.shape === field && row.peer === peer.name));
      return [field, figures?.["perSecond"] ?? Number.NaN] as const;
    });
    return values.every(([, value]) => Number.isNaN(value)) ? [] : [{ peer, values: Object.fromEntries(values) }];
  });
  const title = `${titleOf("publish")}: 256 B, by what is in flight`;
  return { name: "publish", title, svg: dots(title, lines, series, "") };
}

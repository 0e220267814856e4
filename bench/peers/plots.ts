// Results as SVG: bars of throughput, and latencies on a logarithmic axis. Readable on light and on dark pages: lines and
// letters take a grey that both carry, and follow the reader's scheme where the viewer knows it.
import { columnsOf, distinct, medians, type PeerNote, type Results } from "./results.ts";

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 90;
const BAR_HEIGHT = 18;
const BAR_GAP = 6;
const HEAD_HEIGHT = 44;
const FOOT_HEIGHT = 24;
const OURS = "#2f81f7";
const THEIRS = "#8b949e";
const QUANTILES = ["p50", "p99", "p999"] as const;
const QUANTILE_NAMES = { p50: "p50", p99: "p99", p999: "p99.9" };
const QUANTILE_COLOURS = { p50: "#3fb950", p99: "#d29922", p999: "#f85149" };
const STYLE =
  "text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;font-size:14px}.x{stroke:#8b949e;stroke-opacity:.35}" +
  "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}";

export interface Plot {
  readonly name: string;
  readonly svg: string;
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function text(x: number, y: number, words: string, extra = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${escaped(words)}</text>`;
}

function drawing(height: number, title: string, parts: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `role="img" aria-label="${escaped(title)}"><style>${STYLE}</style>${text(8, 20, title, 'class="t"')}` +
    `${parts.join("")}</svg>\n`
  );
}

const labelOf = ({ title, isDurable }: PeerNote): string => (isDurable ? title : `${title} *`);
const isOurs = ({ name }: PeerNote): boolean => name.startsWith("wasq");

interface Bar {
  readonly peer: PeerNote;
  readonly value: number;
}

function bars(title: string, all: readonly Bar[]): string {
  const most = Math.max(...all.map(({ value }) => value));
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const parts = all.map(({ peer, value }, i) => {
    const y = HEAD_HEIGHT + i * (BAR_HEIGHT + BAR_GAP);
    const width = Math.max(1, (value / most) * room);
    // What is not durable has its outline only: it did less.
    const fill = peer.isDurable ? (isOurs(peer) ? OURS : THEIRS) : "none";
    const bar = `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${fill}" stroke="${isOurs(peer) ? OURS : THEIRS}"/>`;
    const label = text(LABEL_WIDTH - 8, y + 13, labelOf(peer), 'text-anchor="end"');
    return label + bar + text(LABEL_WIDTH + width + 8, y + 13, Math.round(value).toLocaleString("en-US"));
  });
  const height = HEAD_HEIGHT + all.length * (BAR_HEIGHT + BAR_GAP) + FOOT_HEIGHT;
  if (all.some(({ peer }) => !peer.isDurable)) parts.push(text(8, height - 8, "* not durable when it is confirmed"));
  return drawing(height, title, parts);
}

interface Latencies {
  readonly peer: PeerNote;
  readonly figures: Readonly<Record<string, number>>;
}

function latencies(title: string, all: readonly Latencies[]): string {
  const values = all.flatMap(({ figures }) => QUANTILES.map((name) => figures[name] ?? Number.NaN));
  const low = Math.floor(Math.log10(Math.max(0.01, Math.min(...values))));
  const high = Math.ceil(Math.log10(Math.max(...values, 1)));
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const x = (ms: number): number =>
    LABEL_WIDTH + ((Math.log10(Math.max(ms, 10 ** low)) - low) / Math.max(1, high - low)) * room;
  const bottom = HEAD_HEIGHT + all.length * (BAR_HEIGHT + BAR_GAP);
  const parts: string[] = [];
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power).toFixed(1);
    parts.push(`<line class="x" x1="${at}" y1="${HEAD_HEIGHT - 6}" x2="${at}" y2="${bottom}"/>`);
    parts.push(text(Number(at), bottom + 14, `${10 ** power} ms`, 'text-anchor="middle"'));
  }
  for (const [i, { peer, figures }] of all.entries()) {
    const y = HEAD_HEIGHT + i * (BAR_HEIGHT + BAR_GAP) + BAR_HEIGHT / 2;
    const weight = isOurs(peer) ? ' font-weight="600"' : "";
    parts.push(text(LABEL_WIDTH - 8, y + 4, labelOf(peer), `text-anchor="end"${weight}`));
    const ends = [x(figures["p50"] ?? 0), x(figures["p999"] ?? 0)].map((end) => end.toFixed(1));
    parts.push(`<line x1="${ends[0]}" y1="${y}" x2="${ends[1]}" y2="${y}" stroke="${THEIRS}" stroke-width="2"/>`);
    for (const name of QUANTILES) {
      parts.push(`<circle cx="${x(figures[name] ?? 0).toFixed(1)}" cy="${y}" r="5" fill="${QUANTILE_COLOURS[name]}"/>`);
    }
  }
  for (const [i, name] of QUANTILES.entries()) {
    const at = WIDTH - 210 + i * 66;
    parts.push(
      `<circle cx="${at}" cy="16" r="5" fill="${QUANTILE_COLOURS[name]}"/>`,
      text(at + 9, 20, QUANTILE_NAMES[name]),
    );
  }
  const height = bottom + 38;
  if (all.some(({ peer }) => !peer.isDurable)) parts.push(text(8, height - 6, "* not durable when it is confirmed"));
  return drawing(height, title, parts);
}

/** One for each shape of the cases that have a throughput or latencies. */
export function plots(results: Results, titleOf: (name: string) => string): Plot[] {
  const made: Plot[] = [];
  for (const name of distinct(results.rows.map((row) => row.case))) {
    const figure = columnsOf(name)[0]?.figure ?? "";
    for (const shape of distinct(results.rows.filter((row) => row.case === name).map((row) => row.shape))) {
      const measured = results.peers.flatMap((peer) => {
        const rows = results.rows.filter((row) => row.case === name && row.shape === shape && row.peer === peer.name);
        const figures = medians(rows);
        return figures === undefined || Number.isNaN(figures[figure] ?? Number.NaN) ? [] : [{ peer, figures }];
      });
      if (measured.length === 0) continue;
      const title = `${titleOf(name)}: ${shape}`;
      const file = `${name}-${shape.replaceAll(/[^\w]+/g, "-")}`;
      const values = measured.map(({ peer, figures }) => ({ peer, value: figures[figure] ?? 0 }));
      made.push({ name: file, svg: name === "latency" ? latencies(title, measured) : bars(title, values) });
    }
  }
  return made;
}

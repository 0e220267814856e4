// Runs as they are shown: plots, tables and all their rounds in bench/figures, and some of it in the project's README.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support.ts";
import { goalsOf } from "./goals.ts";
import { plots } from "./plots.ts";
import { goalsMarkdown, markdown, provenance } from "./report.ts";
import { fellBehind, type PeerNote, type Results, type RunRow, type Spread, spreads } from "./results.ts";
import { RunError } from "./runs.ts";

const FIGURES = join(ROOT, "bench", "figures");
const README = join(ROOT, "README.md");
/** Of the plots, those that the project's README shows: where wasq loses stands in the first. */
const SHOWN = [
  "publish",
  "both-256-B-1-000-in-flight",
  "latency-256-B-5-000-s",
  "backlog-1-000-000-queued-rssPerMessage",
  "backlog-1-000-000-queued-restartMs",
];
const BEGIN = "<!-- figures: npm run bench:peers -- --publish -->";
const END = "<!-- /figures -->";

/** Of the README's table: what of which case, and whether more of it is better. */
const COLUMNS = [
  { head: "published/s, 1 in flight", name: "publish", shape: "256 B, 1 in flight", field: "perSecond" },
  { head: "64", name: "publish", shape: "256 B, 64 in flight", field: "perSecond" },
  { head: "1,000", name: "publish", shape: "256 B, 1,000 in flight", field: "perSecond" },
  { head: "with delivery and ack", name: "both", shape: "256 B, 1,000 in flight", field: "perSecond" },
  { head: "ms to delivery at 5,000/s: p50", name: "latency", shape: "256 B, 5,000/s", field: "p50" },
  { head: "p99", name: "latency", shape: "256 B, 5,000/s", field: "p99" },
  { head: "p99.9", name: "latency", shape: "256 B, 5,000/s", field: "p999" },
] as const;

/** One line for each server that was measured in these cases; the best of those that are durable is bold. */
export function summaryTable({ peers, rows }: Results): string {
  const rowsOf = (peer: string, { name, shape }: (typeof COLUMNS)[number]): RunRow[] =>
    rows.filter((row) => row.case === name && row.shape === shape && row.peer === peer);
  const figureOf = (peer: string, column: (typeof COLUMNS)[number]): Spread | undefined =>
    spreads(rowsOf(peer, column))?.[column.field];
  const isLate = (peer: string, column: (typeof COLUMNS)[number]): boolean =>
    column.name === "latency" && rowsOf(peer, column).some(fellBehind);
  const lines = peers
    .map((peer) => ({ peer, values: COLUMNS.map((column) => figureOf(peer.name, column)) }))
    .filter(({ values }) => values.some((value) => value !== undefined));
  const best = COLUMNS.map((column, i) => {
    const own = lines
      .filter(({ peer }) => peer.isDurable && peer.role !== "bare" && !isLate(peer.name, column))
      .map(({ values }) => values[i]?.median ?? Number.NaN)
      .filter((value) => !Number.isNaN(value));
    return column.field === "perSecond" ? Math.max(...own) : Math.min(...own);
  });
  const cell = (spread: Spread | undefined, i: number, { name, role }: PeerNote): string => {
    const column = COLUMNS[i];
    const late = column !== undefined && isLate(name, column) ? " `†`" : "";
    if (spread === undefined || Number.isNaN(spread.median)) return late.trim();
    const text = (value: number): string =>
      (COLUMNS[i]?.field === "perSecond" ? Math.round(value) : Number(value.toPrecision(3))).toLocaleString("en-US");
    const isBest = spread.median === best[i] && role !== "bare";
    const middle = `${isBest ? `**${text(spread.median)}**` : text(spread.median)}${late}`;
    return spread.least === spread.most
      ? middle
      : `${middle}<br><sub>${text(spread.least)} to ${text(spread.most)}</sub>`;
  };
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(["256 bytes", ...COLUMNS.map(({ head }) => head)]),
    line(["---", ...COLUMNS.map(() => "---:")]),
    ...lines.map(({ peer, values }) => {
      const title = `${peer.title}${peer.role === "peer" ? ` ${peer.version}` : ""}${peer.isDurable ? "" : " `*`"}`;
      return line([title, ...values.map((value, i) => cell(value, i, peer))]);
    }),
  ].join("\n");
}

const ABOUT_TABLE =
  "Medians, and below them the least and the most; `*` is not on disk when it is confirmed; `†` did not keep the pace, and\n" +
  "its latencies are those of what came. The best of a column that is on disk is bold.";

/** What was to be reached and what of it was not, in words. */
export function goalsSummary(results: Results): string {
  const goals = goalsOf(results);
  const of = (isMet: boolean | undefined) => goals.filter((goal) => goal.isMet === isMet);
  const [met, missed, unknown] = [of(true), of(false), of(undefined)];
  const head = `Of ${goals.length} goals ${met.length} are met, ${missed.length} missed, ${unknown.length} not measured.`;
  const lines = missed.map((goal) => `- missed: ${goal.figure}: ${goal.measured}; goal: ${goal.goal}`);
  const rest = unknown.length === 0 ? [] : [`- not measured: ${unknown.map(({ figure }) => figure).join("; ")}`];
  return [head, [...lines, ...rest].join("\n")].filter((text) => text !== "").join("\n\n");
}

/** @throws RunError for runs that were scaled down */
export function publish(results: Results, titleOf: (name: string) => string): void {
  if (results.scale !== 1)
    throw new RunError(`Scaled by ${results.scale}: that is a trial and has no figures to be shown`);
  mkdirSync(FIGURES, { recursive: true });
  for (const name of readdirSync(FIGURES)) rmSync(join(FIGURES, name));
  writeFileSync(join(FIGURES, "results.json"), `${JSON.stringify(results, undefined, 1)}\n`);
  const made = plots(results, titleOf);
  for (const { name, svg } of made) writeFileSync(join(FIGURES, `${name}.svg`), svg);
  const image = ({ name, title }: { name: string; title: string }, folder: string): string =>
    `![${title}](${folder}${name}.svg)`;
  const about = [
    "# The runs that are shown",
    "Made by `npm run bench:peers -- --publish` from `results.json`, which has every round; nothing here is written by hand.",
    "[bench/peers](../peers/README.md) says what is measured, and where it is not fair.",
    provenance(results),
    "## What was to be reached",
    goalsMarkdown(results),
    markdown(results, titleOf).trim(),
    "## Plots",
    ...made.map((plot) => image(plot, "")),
  ];
  writeFileSync(join(FIGURES, "README.md"), `${about.join("\n\n")}\n`);
  const shown = SHOWN.flatMap((name) => made.filter((plot) => plot.name === name));
  const block = [
    BEGIN,
    provenance(results),
    ABOUT_TABLE,
    summaryTable(results),
    goalsSummary(results),
    ...shown.map((plot) => image(plot, "bench/figures/")),
    END,
  ].join("\n\n");
  const text = readFileSync(README, "utf8");
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before === -1 || after < before) throw new Error(`README.md has no place for figures: ${BEGIN} ... ${END}`);
  writeFileSync(README, text.slice(0, before) + block + text.slice(after + END.length));
}

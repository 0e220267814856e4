// Results as tables: for a terminal, and for a README.
import { table } from "../support.ts";
import { goalsOf, verdict } from "./goals.ts";
import { CLIENT_CORES_MAX, type Column, columnsOf, distinct, medians, type PeerNote, type Results } from "./results.ts";

const number = (value: number | undefined, digits: number): string =>
  value === undefined || Number.isNaN(value)
    ? ""
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function noteOf({ isDurable, role }: PeerNote, figures: Readonly<Record<string, number>>): string {
  const notes = isDurable ? [] : ["not durable"];
  if (role === "bare") notes.push("no queue");
  if ((figures["clientCores"] ?? 0) > CLIENT_CORES_MAX) notes.push("the client was the limit");
  if ((figures["lateCount"] ?? 0) > 0) notes.push("did not keep the pace");
  return notes.join("; ");
}

interface Line {
  readonly cells: readonly string[];
  readonly isOurs: boolean;
}

function linesOf(results: Results, name: string, shape: string, columns: readonly Column[]): Line[] {
  return results.peers.flatMap((peer) => {
    const rows = results.rows.filter((row) => row.case === name && row.shape === shape && row.peer === peer.name);
    if (rows.length === 0) return [];
    const figures = medians(rows);
    const isOurs = peer.role === "wasq";
    if (figures === undefined) {
      const failure = (rows[0]?.failure ?? "").split("\n")[0]?.slice(0, 60) ?? "";
      return [{ cells: [peer.title, ...columns.map(() => ""), `failed: ${failure}`], isOurs }];
    }
    const values = columns.map(({ figure, digits }) => number(figures[figure], digits));
    return [{ cells: [peer.title, ...values, noteOf(peer, figures)], isOurs }];
  });
}

/** Everything, case by case. */
export function printTables(results: Results, titleOf: (name: string) => string): void {
  const { rows, peers } = results;
  for (const name of distinct(rows.map((row) => row.case))) {
    const columns = columnsOf(name);
    for (const shape of distinct(rows.filter((row) => row.case === name).map((row) => row.shape))) {
      const lines = linesOf(results, name, shape, columns).map(({ cells }) => cells);
      table(`${titleOf(name)}: ${shape}`, ["", ...columns.map(({ head }) => head), ""], lines);
    }
  }
  const about = peers.map(({ title, version, settings }) => [title, version, settings]);
  table("Who was measured", ["", "version", "settings"], about);
  const goals = goalsOf(results)
    .filter(({ isMet }) => isMet !== undefined)
    .map((goal) => [goal.figure, goal.measured, goal.goal, verdict(goal)]);
  if (goals.length > 0) table("Goals", ["figure", "measured", "goal", ""], goals);
}

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** Where the figures come from. */
export function provenance({ machine, startedAt, rounds, seconds, command }: Results): string {
  const when = startedAt.slice(0, 10);
  return `${machine}.\n${when}, medians of ${rounds} interleaved rounds of ${seconds} s: \`${command}\`.`;
}

/** The goals as Markdown. */
export function goalsMarkdown(results: Results): string {
  const goals = goalsOf(results).map((goal) => line([goal.figure, goal.measured, goal.goal, verdict(goal)]));
  return [line(["figure", "measured", "goal", ""]), line(["---", "---", "---", "---"]), ...goals].join("\n");
}

/** The same as Markdown. */
export function markdown(results: Results, titleOf: (name: string) => string): string {
  const { rows, peers, missing } = results;
  const text: string[] = [];
  for (const name of distinct(rows.map(({ case: each }) => each))) {
    const columns = columnsOf(name);
    text.push("", `## ${titleOf(name)}`);
    for (const shape of distinct(rows.filter((each) => each.case === name).map((each) => each.shape))) {
      text.push("", line([shape, ...columns.map(({ head }) => head), ""]));
      text.push(line(["---", ...columns.map(() => "---:"), "---"]));
      for (const { cells, isOurs } of linesOf(results, name, shape, columns)) {
        text.push(line(isOurs ? [`**${cells[0]}**`, ...cells.slice(1)] : cells));
      }
    }
  }
  text.push("", "## Who was measured", "");
  for (const { title, version, settings } of peers) text.push(`- ${title} ${version}: ${settings}`);
  if (missing.length > 0) text.push(`- not there: ${missing.join(", ")}`);
  return `${text.join("\n").trim()}\n`;
}

// Results as tables: for a terminal, and for a README.
import { say, table } from "../support.ts";
import { type Goal, goalsOf, verdict } from "./goals.ts";
import {
  CLIENT_CORES_MAX,
  type Column,
  columnsOf,
  counted,
  countsOf,
  distinct,
  fellBehind,
  type PeerNote,
  type Results,
  type Row,
  type RunNote,
  type RunRow,
  type Spread,
  sentLate,
  spreads,
  succeeded,
} from "./results.ts";

const number = (value: number, digits: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** The median, and the least and the most where there are several. */
export function spreadText(spread: Spread | undefined, digits: number): string {
  if (spread === undefined || spread.count === 0) return "";
  const [middle = "", least, most] = [spread.median, spread.least, spread.most].map((value) => number(value, digits));
  return least === most ? middle : `${middle} (${least} to ${most})`;
}

/** @param roundCount of the others in the same table */
function noteOf({ isDurable, role }: PeerNote, rows: readonly Row[], roundCount: number): string {
  const notes = isDurable ? [] : ["not durable"];
  if (role === "bare") notes.push("no queue");
  const good = succeeded(rows);
  const some = (isSo: (row: Row) => boolean, text: string): void => {
    const count = good.filter(isSo).length;
    if (count > 0) notes.push(good.length === 1 ? text : `${text} in ${count} of ${good.length} rounds`);
  };
  some(({ figures }) => (figures["clientCores"] ?? 0) > CLIENT_CORES_MAX, "the client was the limit");
  const within = good.map(({ figures }) => figures["nothingWithinSeconds"]).find((value) => typeof value === "number");
  some(
    ({ figures }) => typeof figures["nothingWithinSeconds"] === "number",
    `nothing came through within ${within?.toFixed(1)} s`,
  );
  some(({ figures }) => figures["syncsPerMessage"] === 0, "no sync at all");
  some(fellBehind, "did not keep the pace");
  some(sentLate, "half of its p99 is the client's");
  const failed = rows.length - good.length;
  if (failed > 0) notes.push(`failed in ${counted(failed, "round")}`);
  if (good.length < roundCount) notes.push(`of ${counted(good.length, "round")}`);
  return notes.join("; ");
}

interface Line {
  readonly cells: readonly string[];
  readonly isOurs: boolean;
}

function linesOf(peers: readonly PeerNote[], all: readonly RunRow[], columns: readonly Column[]): Line[] {
  const { rounds } = countsOf(all);
  return peers.flatMap((peer) => {
    const rows = all.filter((row) => row.peer === peer.name);
    if (rows.length === 0) return [];
    const figures = spreads(rows);
    const isOurs = peer.role === "wasq";
    if (figures === undefined) {
      const failure = (rows[0]?.failure ?? "").split("\n")[0]?.slice(0, 60) ?? "";
      return [{ cells: [peer.title, ...columns.map(() => ""), `failed: ${failure}`], isOurs }];
    }
    const values = columns.map(({ figure, digits }) => spreadText(figures[figure], digits));
    return [{ cells: [peer.title, ...values, noteOf(peer, rows, rounds)], isOurs }];
  });
}

interface Shaped {
  readonly shape: string;
  readonly rows: readonly RunRow[];
}

function shapesOf(results: Results, name: string): Shaped[] {
  const own = results.rows.filter((row) => row.case === name);
  return distinct(own.map(({ shape }) => shape)).map((shape) => ({
    shape,
    rows: own.filter((row) => row.shape === shape),
  }));
}

/** Of how many rounds a table's medians are: those that there were. */
function roundsText(rows: readonly RunRow[]): string {
  const { runs, rounds } = countsOf(rows);
  const inRuns = runs > 1 ? ` in ${runs} runs` : "";
  return rounds > 1 ? `medians of ${rounds} rounds${inRuns}, the least and the most in brackets` : "one round";
}

const GOALS_HEAD = ["figure", "measured", "goal", "", "run by run"];

function goalCells(goal: Goal): string[] {
  return [goal.figure, goal.measured, goal.goal, verdict(goal), goal.runCount > 1 ? goal.each.join(", ") : ""];
}

/** Everything, case by case. */
export function printTables(results: Results, titleOf: (name: string) => string): void {
  const { rows, peers, scale } = results;
  const scaleNote = scale === 1 ? "" : `; SCALED BY ${scale}, no figures`;
  for (const name of distinct(rows.map((row) => row.case))) {
    const columns = columnsOf(name);
    for (const { shape, rows: own } of shapesOf(results, name)) {
      const lines = linesOf(peers, own, columns).map(({ cells }) => cells);
      const title = `${titleOf(name)}: ${shape}; ${roundsText(own)}${scaleNote}`;
      table(title, ["", ...columns.map(({ head }) => head), ""], lines);
    }
  }
  const about = peers.map(({ title, version, settings }) => [title, version, settings]);
  table("Who was measured", ["", "version", "settings"], about);
  const goals = goalsOf(results);
  const measured = goals.filter(({ isMet }) => isMet !== undefined);
  if (measured.length > 0) table("Goals", GOALS_HEAD, measured.map(goalCells));
  const unknown = goals.filter(({ isMet }) => isMet === undefined).map(({ figure }) => figure);
  if (unknown.length > 0)
    say(`\nGoals of which ${scale === 1 ? "this measures nothing" : "a trial says nothing"}: ${unknown.join("; ")}`);
}

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** What a run was to have, and what it had. */
function extentOf({ rounds, completedRounds, endedAt }: RunNote): string {
  if (endedAt !== null) return counted(rounds, "round");
  return `broken off after ${completedRounds} of ${counted(rounds, "round")}`;
}

/** What is to be said of a run that had less of everything than its cases say. */
function scaleText({ scale }: Results): string {
  if (scale === 1) return "";
  return `\nBACKLOGS AND QUEUES SCALED BY ${scale}: this shows that the benchmark works, and nothing about speed.`;
}

/** Where the figures come from: who measured, when, how often, and how it is repeated. */
export function provenance(results: Results): string {
  const { machine, commit, seconds, latencySeconds, runs } = results;
  const runText = ({ startedAt }: RunNote): string => `${startedAt.slice(0, 16).replace("T", " ")} UTC`;
  const each = runs.map((run) => `${runText(run)} (${extentOf(run)})`).join(", ");
  const commands = distinct(runs.map(({ command }) => `\`${command}\``)).join(", ");
  const latencies = latencySeconds === undefined ? "" : `, ${latencySeconds} s one of latencies`;
  const what = runs.length > 1 ? `Medians of ${runs.length} runs` : "One run";
  return `${machine}; commit ${commit}.\n${what}, of ${seconds} s a measurement${latencies}: ${each}.\n${commands}${scaleText(results)}`;
}

/** The goals as Markdown. */
export function goalsMarkdown(results: Results): string {
  const goals = goalsOf(results).map((goal) => line(goalCells(goal)));
  return [line(GOALS_HEAD), line(GOALS_HEAD.map(() => "---")), ...goals].join("\n");
}

/** The same as Markdown. */
export function markdown(results: Results, titleOf: (name: string) => string): string {
  const { rows, peers, missing } = results;
  const text: string[] = [];
  for (const name of distinct(rows.map(({ case: each }) => each))) {
    const columns = columnsOf(name);
    text.push("", `## ${titleOf(name)}`);
    for (const { shape, rows: own } of shapesOf(results, name)) {
      const about = roundsText(own);
      text.push("", `${about.charAt(0).toUpperCase()}${about.slice(1)}.`);
      text.push("", line([shape, ...columns.map(({ head }) => head), ""]));
      text.push(line(["---", ...columns.map(() => "---:"), "---"]));
      for (const { cells, isOurs } of linesOf(peers, own, columns)) {
        text.push(line(isOurs ? [`**${cells[0]}**`, ...cells.slice(1)] : cells));
      }
    }
  }
  text.push("", "## Who was measured", "");
  for (const { title, version, settings } of peers) text.push(`- ${title} ${version}: ${settings}`);
  if (missing.length > 0) text.push(`- not there: ${missing.join(", ")}`);
  return `${text.join("\n").trim()}\n`;
}

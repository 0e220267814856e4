// A CPU profile as a flame graph in SVG: the root on top, width is time, a tooltip has name, place and share.

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[]; // microseconds
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface Hot {
  readonly name: string;
  readonly selfMs: number;
}

interface Frame {
  readonly name: string;
  readonly place: string;
  micros: number; // with all below
  readonly below: Map<string, Frame>;
}

const WIDTH = 1_400;
const ROW_HEIGHT = 17;
const NARROWEST = 0.4; // pixels; less is left out
const LETTER_WIDTH = 6.6;
const COLOURS = { wasm: "#b392f0", host: "#8b949e", node: "#f2cc60", own: "#f0883e" };

function nameOf({ callFrame }: ProfileNode): string {
  return callFrame.functionName === "" ? "(anonymous)" : callFrame.functionName;
}

const placeOf = ({ callFrame: { url, lineNumber } }: ProfileNode): string =>
  url === "" ? "" : `${url.split("/").at(-1)}:${lineNumber + 1}`;

function kindOf({ name, place }: Frame): keyof typeof COLOURS {
  if (place.startsWith("wasm") || name.startsWith("assembly/") || /^[0-9a-f]{8}:/.test(place)) return "wasm";
  if (name.startsWith("(") || place === "") return "host";
  return place.includes(".cjs") ? "own" : "node";
}

function selfMicros({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const self = new Map<number, number>();
  for (const [i, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[i] ?? 0));
  return self;
}

/** Functions by their own time. */
export function hottest(profile: CpuProfile, countMax: number): Hot[] {
  const self = selfMicros(profile);
  const byName = new Map<string, number>();
  for (const node of profile.nodes) {
    const name = `${nameOf(node)} ${placeOf(node)}`.trim();
    byName.set(name, (byName.get(name) ?? 0) + (self.get(node.id) ?? 0) / 1000);
  }
  const all = [...byName].map(([name, selfMs]) => ({ name, selfMs }));
  return all.sort((a, b) => b.selfMs - a.selfMs).slice(0, countMax);
}

function framesOf(profile: CpuProfile): Frame {
  const self = selfMicros(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const root: Frame = { name: "all", place: "", micros: 0, below: new Map() };
  const add = (node: ProfileNode, into: Frame): number => {
    // Calls of one function from one place are one frame, whichever way the engine split them.
    const key = `${nameOf(node)} ${placeOf(node)}`;
    const frame = into.below.get(key) ?? { name: nameOf(node), place: placeOf(node), micros: 0, below: new Map() };
    into.below.set(key, frame);
    let micros = self.get(node.id) ?? 0;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) micros += add(child, frame);
    }
    frame.micros += micros;
    return micros;
  };
  const top = profile.nodes[0];
  for (const id of top?.children ?? []) {
    const node = byId.get(id);
    // Idle time is nobody's work.
    if (node !== undefined && nameOf(node) !== "(idle)") root.micros += add(node, root);
  }
  return root;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

export function flameGraph(profile: CpuProfile, title: string): string {
  const root = framesOf(profile);
  const parts: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, x: number, row: number): void => {
    const width = (frame.micros / root.micros) * WIDTH;
    if (width < NARROWEST) return;
    depth = Math.max(depth, row);
    const y = 30 + row * ROW_HEIGHT;
    const share = `${((frame.micros / root.micros) * 100).toFixed(1)} %, ${(frame.micros / 1000).toFixed(0)} ms`;
    const room = Math.floor((width - 6) / LETTER_WIDTH);
    const label = room < 3 ? "" : frame.name.slice(0, room);
    parts.push(
      `<g><title>${escaped(`${frame.name} ${frame.place}: ${share}`)}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 1}" rx="1" fill="${COLOURS[kindOf(frame)]}"/>` +
        `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escaped(label)}</text></g>`,
    );
    let at = x;
    for (const child of [...frame.below.values()].sort((a, b) => b.micros - a.micros)) {
      draw(child, at, row + 1);
      at += (child.micros / root.micros) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = 40 + (depth + 1) * ROW_HEIGHT;
  const legend = "violet: the core, orange: the broker, yellow: Node, grey: the engine";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">` +
    `<style>text{font:11px ui-monospace,monospace;fill:#1f2328}</style><rect width="100%" height="100%" fill="#fff"/>` +
    `<text x="4" y="18">${escaped(title)}; ${legend}</text>${parts.join("")}</svg>\n`
  );
}

/** Where the bar is drawn. */
export type Screen = { isTTY?: boolean; columns?: number; write(text: string): unknown };

export type ProgressBar = {
  /** Shows how far it is: a share from 0 to 1, and a text beside it. */
  show(share: number, text: string): void;
  /** Takes the bar away, for the line that says how it ended. */
  clear(): void;
};

const barCells = 24;
const frameMs = 100;

/**
 * A bar that is redrawn in its place, at most ten times a second. Where the screen is no terminal, a plain line for each tenth
 * that is done instead.
 * @param indent spaces before it
 */
export function progressBar(screen: Screen, indent: number, clock = Date.now): ProgressBar {
  return screen.isTTY ? drawnBar(screen, indent, clock) : plainLines(screen, indent);
}

function drawnBar(screen: Screen, indent: number, clock: () => number): ProgressBar {
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    show(share, text) {
      const now = clock();
      if (now - drawnAt < frameMs && share < 1) return;
      drawnAt = now;
      const full = Math.round(limited(share) * barCells);
      const line = `${' '.repeat(indent)}${'█'.repeat(full)}${'░'.repeat(barCells - full)} ${percent(share)}  ${text}`;
      // A line that wraps could not be redrawn in its place.
      screen.write(`\r\x1b[K${line.slice(0, (screen.columns || 80) - 1)}`);
    },
    clear() {
      screen.write('\r\x1b[K');
    },
  };
}

function plainLines(screen: Screen, indent: number): ProgressBar {
  let shown = 0;
  return {
    show(share, text) {
      const tenth = Math.floor(limited(share) * 10);
      if (tenth <= shown) return;
      shown = tenth;
      screen.write(`${' '.repeat(indent)}${percent(share)}  ${text}\n`);
    },
    clear() {},
  };
}

const limited = (share: number): number => Math.min(1, Math.max(0, share));
const percent = (share: number): string => `${Math.floor(limited(share) * 100)} %`.padStart(5);

import type { DemoFilter } from './choose-demo-export.ts';

/** `1,234,567` */
export const count = (n: number): string => Math.round(n).toLocaleString('en');

/** Bytes in decimal units, as disks and downloads are measured: `12.3 MB`. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `12.3 s` */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** How many of something went through in one second. */
export const rate = (n: number, ms: number): string => count(n / Math.max(ms / 1000, 0.001));

/** The filter in words. */
export function describeFilter({ from, severity }: DemoFilter): string {
  return [severity && `severity ${severity.join(', ')}`, `from ${from.slice(0, 19)}Z`].filter(Boolean).join('; ');
}

/** Where text stands that belongs to a step. */
export const indent = 15;

/** A step's first line: its number, its title, what it says. */
export const stepLine = (number: number, title: string, text: string): string =>
  `${String(number).padStart(3)}  ${title.padEnd(indent - 5)}${text}\n`;

/** A further line of a step. */
export const moreLine = (text: string): string => `${' '.repeat(indent)}${text}\n`;

/** The first lines of a text, each cut to `width` characters. */
export function firstLines(text: string, lines: number, width: number): string[] {
  return text
    .split(/\r?\n/)
    .slice(0, lines)
    .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line));
}

import { expect, test } from 'vitest';
import { progressBar } from '../../../local/demo/progress-bar.ts';

function screen(size: { isTTY: boolean; columns?: number }) {
  const written: string[] = [];
  return { ...size, written, write: (text: string) => written.push(text) };
}

test('draws the bar in its place on a terminal, at most ten times a second, and takes it away', () => {
  const terminal = screen({ isTTY: true, columns: 80 });
  let now = 0;
  const bar = progressBar(terminal, 2, () => now);
  bar.show(0, 'none');
  now = 50;
  bar.show(0.2, 'too soon');
  now = 100;
  bar.show(0.5, 'half');
  bar.show(1, 'all');
  bar.clear();
  expect(terminal.written).toEqual([
    `\r\x1b[K  ${'░'.repeat(24)}   0 %  none`,
    `\r\x1b[K  ${'█'.repeat(12)}${'░'.repeat(12)}  50 %  half`,
    `\r\x1b[K  ${'█'.repeat(24)} 100 %  all`,
    '\r\x1b[K',
  ]);
});

test('never fills more than a line of a narrow terminal', () => {
  const terminal = screen({ isTTY: true, columns: 20 });
  progressBar(terminal, 2).show(0.5, 'a long text');
  expect(terminal.written[0]!.replace('\r\x1b[K', '')).toHaveLength(19);
});

test('prints a plain line for each tenth where there is no terminal', () => {
  const file = screen({ isTTY: false });
  const bar = progressBar(file, 0);
  for (const share of [0, 0.05, 0.1, 0.19, 0.55, 0.56, 1, 1.2]) bar.show(share, `at ${share}`);
  bar.clear();
  expect(file.written).toEqual([' 10 %  at 0.1\n', ' 55 %  at 0.55\n', '100 %  at 1\n']);
});

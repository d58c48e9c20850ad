import type { Finding } from '../core/findings.ts';

const words = { ok: 'ok', warning: 'warning', failure: 'FAILED' } as const;
const wordColumns = 9;
const aboutColumns = 15;

/** A line for each finding, with what repairs it below, and one that counts them. */
export function printFindings(findings: readonly Finding[]): string {
  const lines = findings.flatMap((finding) => {
    const line = words[finding.level].padEnd(wordColumns) + finding.about.padEnd(aboutColumns) + finding.text;
    return finding.level === 'ok' ? [line] : [line, `${' '.repeat(wordColumns + aboutColumns)}→ ${finding.remedy}`];
  });
  const { ok, warning, failure } = countFindings(findings);
  return `${[...lines, '', `${ok} ok, ${warning} to be thought of, ${failure} failed`].join('\n')}\n`;
}

/** The findings for machines: one JSON object. */
export const printJson = (findings: readonly Finding[]): string =>
  `${JSON.stringify({ healthy: countFindings(findings).failure === 0, count: countFindings(findings), findings }, null, 2)}\n`;

/** How many there are of each level. */
export function countFindings(findings: readonly Finding[]): Record<Finding['level'], number> {
  const count = { ok: 0, warning: 0, failure: 0 };
  for (const { level } of findings) count[level]++;
  return count;
}

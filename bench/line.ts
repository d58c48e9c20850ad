import { type Spread, spreadOf } from './spread.ts';
import { type Target, type TargetId, targets } from './targets.ts';

/** One line of the table: what came of a target. */
export type Line = {
  id: TargetId;
  /** Undefined if it was not measured. */
  figure?: Spread;
  /** What ran beside it, and how it fared; or why nothing was measured. */
  beside: string;
};

export const measured = (id: TargetId, figure: Spread, beside: string): Line =>
  Number.isNaN(figure.median) ? notMeasured(id, 'only Linux tells it of another process') : { id, figure, beside };

export const notMeasured = (id: TargetId, reason: string): Line => ({ id, beside: reason });

/** `met`, or by how much not. */
export function verdict({ id, figure }: Line): string {
  if (!figure) return 'not measured';
  const { bound, value }: Target = targets[id];
  const share = figure.median / value;
  if (bound === 'at most' ? share <= 1 : share >= 1) return 'met';
  return `missed by ${Math.round(Math.abs(share - 1) * 100)} %`;
}

/** A number with as many digits as mean something. */
export const shown = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(value >= 10 ? 3 : 2);

/** The middle and the ends of a list of seconds. */
export function seconds(values: readonly number[]): string {
  const { median, least, most } = spreadOf(values);
  return `${median.toFixed(2)} s (${least.toFixed(2)}–${most.toFixed(2)})`;
}

/** The middle of a list of figures, with its unit. */
export const middle = (values: readonly number[], unit: string): string => `${shown(spreadOf(values).median)} ${unit}`;

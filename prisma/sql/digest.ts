import { compartments } from '../../core/evidence/compartments.ts';
import { compartmentSql } from './event-json.ts';

/** The salts of an event of which nothing was erased, all in one (docs/verify.md). */
export const saltsSql = `sha512('\\x00'::bytea || seed) || sha512('\\x01'::bytea || seed)`;

/** What each compartment is as JSON when it is erased. */
const emptyCompartments: Record<(typeof compartments)[number], string | null> = {
  what: null,
  actor: '{"id":null,"type":null}',
  person: '{"email":null,"meta":null,"name":null}',
  context: '{"ip":null,"user_agent":null}',
  target: '{"id":null,"meta":null}',
  detail: '{"description":null,"diff":null,"metadata":{}}',
};

const hex = (index: number): string => `'\\x${index.toString(16)}'::bytea`;

/** The commitment of a compartment of a row with its `salts` beside it; of an erased one as it is stored. */
export function commitmentSql(index: number): string {
  const name = compartments[index]!;
  const canonical = `convert_to(${compartmentSql[index]}, 'UTF8')`;
  const whole = `sha256(${hex(0x10 + index)} || substr(salts, ${1 + 16 * index}, 16) || ${canonical})`;
  const left = `sha256(${hex(0x10 + index)} || decode(erased -> 'salts' ->> '${name}', 'hex') || ${canonical})`;
  return `case when erased is null then ${whole} else coalesce(decode(erased -> 'erased' ->> '${name}', 'hex'), ${left}) end`;
}

/** The digest of a row of events with its `salts` beside it: an erased compartment by its stored commitment. */
export const digestSql = `sha256('\\x20'::bytea || ${compartments.map((_, index) => commitmentSql(index)).join(' || ')})`;

/** Whether an erased compartment holds nothing: no digest would tell what somebody has put there. */
export const erasedIsEmpty = `(erased is null or ${compartments
  .map((name, index) => {
    const isLeft = `erased -> 'erased' -> '${name}' is null`;
    const empty = emptyCompartments[name];
    return empty === null ? isLeft : `(${isLeft} or ${compartmentSql[index]} = '${empty}')`;
  })
  .join('\n           and ')})`;

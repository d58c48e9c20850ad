import fc from 'fast-check';
import { severities } from '../../../core/events/events.ts';
import { arbitraryJson, arbitraryJsonObject, storableText } from '../json/arbitrary-json.ts';

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const text = maybe(storableText());

/** Any event that a client may post. */
export const arbitraryEvent: fc.Arbitrary<Record<string, unknown>> = fc.record({
  action: storableText().filter((action) => action.length > 0 && action.length <= 256),
  severity: maybe(fc.constantFrom(...severities)),
  actor: maybe(fc.record({ id: text, type: text, name: text, email: text, meta: maybe(arbitraryJsonObject) })),
  target: maybe(fc.record({ type: text, id: text, meta: maybe(arbitraryJsonObject) })),
  context: maybe(
    fc.tuple(arbitraryJsonObject, text, text).map(([others, ip, user_agent]) => ({ ...others, ip, user_agent })),
  ),
  description: text,
  diff: maybe(fc.record({ before: maybe(arbitraryJson), after: maybe(arbitraryJson) })),
  metadata: maybe(arbitraryJsonObject),
  occurred_at: maybe(
    fc
      .date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
      .map((date) => date.toISOString()),
  ),
});

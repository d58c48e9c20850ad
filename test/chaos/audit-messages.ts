import { Webhook } from 'standardwebhooks';
import type { ReceivedMessage } from '../webhook-receiver.ts';
import type { Audit, Evidence } from './evidence.ts';
import type { Order } from './orders.ts';

type Message = { path: string; id: string; type: string; exportId: string; received: ReceivedMessage };

/**
 * Each webhook was told of the end of each of its exports at least once, always under the same webhook-id, signed with its
 * secret, and of nothing else.
 */
export const auditMessages: Audit = (evidence) => {
  const messages = evidence.received.map(read);
  const about = Map.groupBy(messages, ({ path, exportId }) => `${path} ${exportId}`);
  const expected = expectedMessages(evidence);
  const mistakes = messages.filter((each) => !expected.has(`${each.path} ${each.exportId}`)).map(({ path }) => path);
  return [
    ...mistakes.map((path) => `${path} was told of an export that is none of its own`),
    ...[...expected].flatMap(([key, { type, secret }]) => auditMessage(key, about.get(key) ?? [], { type, secret })),
  ];
};

function auditMessage(key: string, messages: Message[], expected: { type: string; secret: string }): string[] {
  if (messages.length === 0) return [`${key} was not told of`];
  const ids = new Set(messages.map(({ id }) => id));
  const types = new Set(messages.map(({ type }) => type));
  const forged = messages.filter((each) => !isSigned(each, expected.secret));
  return [
    ...(ids.size > 1 ? [`${key} was told of under ${ids.size} ids`] : []),
    ...(types.size > 1 || !types.has(expected.type) ? [`${key} is ${[...types]}, not ${expected.type}`] : []),
    ...(forged.length > 0 ? [`${key} came ${forged.length} times with a wrong signature`] : []),
  ];
}

/** By webhook and export: what there is to be told, and how it is signed. */
function expectedMessages({ orders }: Evidence): Map<string, { type: string; secret: string }> {
  const hooksOf = ({ hook, tenant }: Order) => [hook, tenant.endpoint].filter((each) => each !== undefined);
  return new Map(
    orders.flatMap((order) =>
      hooksOf(order).map(({ path, secret }) => {
        const type = order.canceled === 'accepted' ? 'export.canceled' : 'export.completed';
        return [`${path} ${order.id}`, { type, secret }] as const;
      }),
    ),
  );
}

function read(received: ReceivedMessage): Message {
  const { type, data } = JSON.parse(received.body) as { type: string; data: { id: string } };
  return { path: received.request.url!, id: received.headers['webhook-id']!, type, exportId: data.id, received };
}

/** By the official library, but for the age: some of them came minutes ago. */
function isSigned({ received: { headers, body } }: Message, secret: string): boolean {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000);
  const expected = new Webhook(secret).sign(headers['webhook-id']!, at, body);
  return headers['webhook-signature'] === expected;
}

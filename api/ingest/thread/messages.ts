import type { ErrorType, FieldError } from '../../../core/errors.ts';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import type { Line } from '../read-line.ts';

/** What the thread is asked to read: a body, or a line. */
export type ToRead = { batch: Uint8Array } | { line: Line };

/** What came of it. An AppError travels by its members: of errors, a thread's message keeps the text alone. */
export type WasRead =
  | { events: NewEvent[] }
  | { refused: { type: ErrorType; message: string; errors: FieldError[]; members: Record<string, unknown> } }
  | { fault: unknown };

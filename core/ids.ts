import { v7 } from 'uuid';

/** A UUIDv7: later ids sort after earlier ones, so that lists and indexes run in order of time. */
export const newId = (): string => v7();

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version. Anything else cannot be the id of anything here. */
export const isUuid = (text: string): boolean => uuid.test(text);

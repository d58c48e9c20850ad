import type { Caller } from '../call-api.ts';
import type { Local } from '../start-local.ts';
import type { Screen } from './progress-bar.ts';

/** What the steps share. */
export type Demo = { local: Local; screen: Screen; signal: AbortSignal };

/** The demo's tenant: its id, who calls for it, and the events its log begins with: that it and its key were made. */
export type Tenant = Caller & { id: string; begunWith: number };

/** Days over which made events are spread. */
export const days = 90;

import type { Caller } from '../call-api.ts';
import type { Local } from '../start-local.ts';
import type { Screen } from './progress-bar.ts';

/** What the steps share. */
export type Demo = { local: Local; screen: Screen; signal: AbortSignal };

/** The demo's tenant: its id, and who calls for it. */
export type Tenant = Caller & { id: string };

/** Days over which made events are spread. */
export const days = 90;

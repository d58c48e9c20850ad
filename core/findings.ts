/**
 * What a look at a part of the deployment has found. A warning is something that works and will bite some day; a failure
 * keeps Logferry from its work. `remedy` says what to do about it.
 */
export type Finding =
  | { level: 'ok'; about: string; text: string }
  | { level: 'warning' | 'failure'; about: string; text: string; remedy: string };

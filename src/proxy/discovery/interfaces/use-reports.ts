import type { VisitStep } from '../../../domain/visit-event.ts';

export interface UsedLabel {
  readonly label: string;
  /** How long ago it was asked for last; undefined where that shows no step of its visit that is not known. */
  readonly agoMs: number | undefined;
}

export interface UseReply {
  /** For each label: until a use may show a further step of its visit; Infinity: none does. */
  readonly waitsMs: readonly number[];
  /** What the report showed: the first page of a visit, and that it is active. */
  readonly steps: readonly { readonly template: string; readonly site: string; readonly step: VisitStep }[];
}

/** Where discovery says which instances are in use: the proxy asks where they are while requests flow to them. */
export interface UseReports {
  /** `last`: the reporter watches no longer. Throws while the store is unavailable. */
  report(reporter: string, used: readonly UsedLabel[], last: boolean): Promise<UseReply>;
}

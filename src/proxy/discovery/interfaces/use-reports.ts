/** Where discovery says which instances are in use: the proxy asks where they are while requests flow to them. */
export interface UseReports {
  /** `last`: the reporter watches no longer. Throws while the store is unavailable. */
  report(reporter: string, labels: readonly string[], last: boolean): Promise<void>;
}

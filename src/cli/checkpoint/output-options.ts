export interface OutputOptions {
  readonly json?: true;
}

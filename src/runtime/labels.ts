/** The labels on everything we make on a host, so that two deployments and two nodes leave each other's alone. */
export const LABEL = {
  deployment: 'try-it-now.deployment',
  node: 'try-it-now.node',
  instance: 'try-it-now.instance',
  template: 'try-it-now.template',
  /** On a service of an instance: the container of its app, and the service's name. */
  partOf: 'try-it-now.part-of',
  service: 'try-it-now.service',
  /** Milliseconds since the epoch, on what is no instance: what no process is busy with any more after that. */
  keepUntil: 'try-it-now.keep-until',
} as const;

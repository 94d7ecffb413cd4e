/** What everything we make on a host bears, so that two deployments and two nodes leave each other's alone. */
export const LABEL = {
  deployment: 'try-it-now.deployment',
  node: 'try-it-now.node',
  instance: 'try-it-now.instance',
  template: 'try-it-now.template',
} as const;

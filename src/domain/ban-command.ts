/** What an operator types to stop them; undefined where there is no network to ban. */
export function banCommand(network: string | undefined): string | undefined {
  return network === undefined ? undefined : `try-it-now bans add ${network} --for 1d --reason 'Burns the pool' --end`;
}

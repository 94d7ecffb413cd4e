import { Argument, type Command } from 'commander';
import { runCommand } from '../run-command.ts';

/** Of the package bash-completion, which the script relies on and small systems lack. */
const WITHOUT_BASH_COMPLETION = `if ! declare -F _get_comp_words_by_ref > /dev/null; then
  _get_comp_words_by_ref() {
    words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${words[cword]}; prev=\${words[cword - 1]}
  }
fi
`;

/** `bare` makes the program again, without these two. */
export function registerCompletion(cli: Command, bare: () => Command): void {
  const completion = async () =>
    (await import('@bomb.sh/tab/commander')).default(bare(), { completionCommandName: 'completion' });
  cli
    .command('completion')
    .description('print what makes a shell complete these commands')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Exit code: 0, or 1 for a shell that is not known.

Examples:
  source <(try-it-now completion bash)
  try-it-now completion bash > /etc/bash_completion.d/try-it-now
  try-it-now completion zsh > "\${fpath[1]}/_try-it-now"
  try-it-now completion fish > ~/.config/fish/completions/try-it-now.fish`,
    )
    .action((shell: string) =>
      runCommand(async () => {
        const root = await completion();
        if (shell === 'bash') console.log(WITHOUT_BASH_COMPLETION);
        root.setup(cli.name(), cli.name(), shell);
      }),
    );
  // What the shells ask at each press of the key.
  cli
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action((words: string[]) => runCommand(async () => (await completion()).parse(words)));
}

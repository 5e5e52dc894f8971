/** The flags of decoding, one for each option, for every command that generates. */
import { type Command, Option } from 'commander';
import { DECODING_NAMES, DECODING_OPTIONS, type DecodingName } from '../model/decoding-options';
import { decimal, integer } from './options';

export function addDecodingOptions(command: Command): Command {
  for (const name of DECODING_NAMES) {
    const option = flagOf(name);
    if (option !== null) command.addOption(option);
  }
  return command;
}

/** Returns the flag of an option; null for an option that each command describes itself. */
function flagOf(name: DecodingName): Option | null {
  const { help, paper, fraction }: { help: string | null; paper: number | boolean; fraction?: string } =
    DECODING_OPTIONS[name];
  if (help === null) return null;
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (typeof paper === 'boolean') return new Option(flag, help);
  const option = new Option(`${flag} <${fraction ?? 'n'}>`, help);
  option.negate = false; // commander takes any `--no-...` for the denial of a flag
  return option.argParser(fraction === undefined ? integer : decimal);
}

// Runs commands of the built command line, one after the other, each in a thread of its own: its arguments, environment,
// streams and exit status are its own as well, while LibTorch is loaded once. Takes { args, env, cwd } from its parent and
// answers with { status, stdout, stderr }; stdin is empty. Its own stdout must be a pipe, as it is one for most users.
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

async function run({ args, env, cwd }) {
  process.chdir(cwd); // of all threads, so that commands come one after the other
  const worker = new Worker(CLI, { argv: args, env, execArgv: [], stdout: true, stderr: true });
  let failure = '';
  worker.on('error', (error) => {
    failure = `${error.stack}\n`;
  });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const [status, stdout, stderr] = await Promise.all([ended, text(worker.stdout), text(worker.stderr)]);
  return { status, stdout, stderr: stderr + failure };
}

process.on('message', async (command) => process.send(await run(command)));

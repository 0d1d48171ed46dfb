import { ByteWriter } from '../../../src/bytes.js';
import { SandboxError } from '../../../src/errors.js';
import type { Language, RuntimeRequest } from '../../../src/languages/language.js';
import { ViewKind } from '../../../src/protocol.js';

/** A language that asks one question and encodes a task as the document says for Python. */
export class FakeLanguage implements Language {
  readonly name = 'python';
  requests: RuntimeRequest[] = [];

  async resolve(request: RuntimeRequest, ask: Parameters<Language['resolve']>[1]) {
    this.requests.push(request);
    const { errno, status, stdout } = await ask(['/usr/bin/interpreter', '--where']);
    if (errno !== 0 || status !== 0)
      throw new SandboxError('interpreter-not-found', `tried interpreter: ${errno} ${status}`);
    return {
      executable: '/usr/bin/interpreter',
      argv: ['interpreter', stdout],
      env: { LANG: 'C.UTF-8' },
      view: [
        { kind: ViewKind.DIRECTORY, path: '/usr' },
        { kind: ViewKind.FILE, path: '/etc/hosts', content: Buffer.from('127.0.0.1 localhost\n') },
        { kind: ViewKind.SYMLINK, path: '/bin', source: 'usr/bin' },
        { kind: ViewKind.BIND_READ_ONLY, path: '/usr/lib', source: '/usr/lib', optional: true },
        { kind: ViewKind.DEVICE, path: '/dev/null', source: '/dev/null' },
      ],
    } as const;
  }

  encodeTask({ code, args, env }: Parameters<Language['encodeTask']>[0]): Uint8Array {
    const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return new ByteWriter(code.byteLength + 256).strings(args).strings(environment).bytes(code).finish();
  }
}

import { Socket } from 'node:net';
import { MalformedError } from './bytes.js';
import { MessageParser, type OutgoingFrame, type SupervisorMessage } from './protocol.js';

export interface ChannelListener {
  message(message: SupervisorMessage): void;
  /** Once, when the socket is gone; without an error where the other side ended it between two frames. */
  closed(error: Error | undefined): void;
}

/**
 * The host's end of the socket pair, as messages. It keeps the event loop alive only while someone holds it, so that a script
 * which forgets to close its sandbox still ends.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #listener: ChannelListener;
  readonly #parser = new MessageParser();
  #holds = 0;
  #error: Error | undefined;

  /** Takes over `fd`, a connected stream socket. */
  constructor(fd: number, listener: ChannelListener) {
    this.#listener = listener;
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.unref();
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => {
      this.#error ??= error;
    });
    this.#socket.on('close', () => listener.closed(this.#error ?? this.#cutError()));
  }

  send(frame: OutgoingFrame): void {
    // After the end there is nobody to tell: 'closed' says what became of the runs.
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (frame.length > 1) this.#socket.cork();
    for (const piece of frame) this.#socket.write(piece);
    if (frame.length > 1) this.#socket.uncork();
  }

  /** Keeps the event loop alive until as many `release`s. */
  hold(): void {
    if (this.#holds++ === 0) this.#socket.ref();
  }

  release(): void {
    if (--this.#holds === 0) this.#socket.unref();
  }

  /** Says goodbye; the supervisor answers by ending. */
  end(): void {
    this.#socket.end();
  }

  destroy(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    try {
      for (const message of this.#parser.push(chunk)) {
        if (this.#socket.destroyed) return;
        this.#listener.message(message);
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #cutError(): Error | undefined {
    return this.#parser.isCut ? new MalformedError('The stream ends inside a frame') : undefined;
  }
}

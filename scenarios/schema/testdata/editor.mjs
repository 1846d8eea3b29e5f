// Asks yaml-language-server, as an editor does, about one file:
//   node editor.mjs SERVER FILE [LINE:COL...]
// and prints what it says: diagnostics, and completion and hover at each place.
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import {pathToFileURL} from 'node:url';

const [server, file, ...places] = process.argv.slice(2);
const uri = pathToFileURL(fs.realpathSync(file)).href;
const child = spawn(process.execPath, [server, '--stdio'], {stdio: ['pipe', 'pipe', 'inherit']});
const pending = new Map();
let lastId = 0, received = Buffer.alloc(0), diagnosed;
const diagnostics = new Promise(resolve => { diagnosed = resolve; });

function send(message) {
  const text = JSON.stringify({jsonrpc: '2.0', ...message});
  child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}
function request(method, params) {
  return new Promise(resolve => { pending.set(++lastId, resolve); send({id: lastId, method, params}); });
}
function take(message) {
  if (message.id !== undefined && message.method) {
    send({id: message.id, result: message.method === 'workspace/configuration' ? message.params.items.map(() => ({})) : null});
  } else if (message.id !== undefined) {
    pending.get(message.id)?.(message.result);
  } else if (message.method === 'textDocument/publishDiagnostics' && message.params.uri === uri) {
    diagnosed(message.params.diagnostics);
  }
}
child.stdout.on('data', data => {
  received = Buffer.concat([received, data]);
  for (;;) {
    const head = received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/Content-Length: (\d+)/.exec(received.subarray(0, head))[1]);
    if (received.length < head + 4 + length) return;
    const body = received.subarray(head + 4, head + 4 + length);
    received = received.subarray(head + 4 + length);
    take(JSON.parse(body));
  }
});

await request('initialize', {
  processId: process.pid, rootUri: null,
  capabilities: {textDocument: {publishDiagnostics: {}, completion: {completionItem: {snippetSupport: true}}}, workspace: {configuration: true}},
});
send({method: 'initialized', params: {}});
send({method: 'workspace/didChangeConfiguration', params: {settings: {yaml: {validate: true, completion: true, hover: true, schemaStore: {enable: false}}}}});
send({method: 'textDocument/didOpen', params: {textDocument: {uri, languageId: 'yaml', version: 1, text: fs.readFileSync(file, 'utf8')}}});
const said = {diagnostics: (await diagnostics).map(d => `${d.range.start.line + 1}:${d.range.start.character + 1} ${d.message}`), places: {}};
for (const place of places) {
  const [line, col] = place.split(':').map(Number);
  const at = {textDocument: {uri}, position: {line: line - 1, character: col - 1}};
  const completion = await request('textDocument/completion', at);
  const hover = await request('textDocument/hover', at);
  said.places[place] = {completion: (completion.items ?? completion).map(i => i.label), hover: hover?.contents?.value ?? ''};
}
console.log(JSON.stringify(said));
child.kill();
process.exit(0);

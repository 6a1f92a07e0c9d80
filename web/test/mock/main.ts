// Serves dist/ with the mock gateway, for working on the page: npm run mock -- [port] [api key]
import { MockGateway } from './gateway.ts';

const [port = '8089', apiKey] = process.argv.slice(2);
const gateway = new MockGateway({ delayMs: 25, models: ['qwen3-0.6b', 'llama-3.2-1b'], ...(apiKey ? { apiKey } : {}) });
console.log(`Mock gateway at ${await gateway.listen(Number(port))}`);

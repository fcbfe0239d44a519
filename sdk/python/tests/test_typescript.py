"""The TypeScript client against the real service; `npm run build` in `sdk/typescript` comes first."""

import json
import subprocess
from pathlib import Path

from kit import eventually

INDEX = Path(__file__).parents[2] / "typescript/dist/index.js"
PROGRAM = """
import { Client } from %s;
const client = new Client({ url: process.argv[1], model: "typescript", flushIntervalMs: 5 });
for (let x = 0; x < 500; x++) {
  const event_id = client.logPrediction({ features: { x, carrier: "UA", late: x %% 2 === 0 }, prediction: { score: 0.5 } });
  if (x %% 100 === 0) await client.flush();
  client.logOutcome({ event_id, label: "late" });
}
client.logPrediction({ features: { nested: [1] } });
await client.close(30000);
console.log(JSON.stringify(client.stats()));
"""


def test_what_the_typescript_client_logs_is_in_the_store_once(service):
    code = PROGRAM % json.dumps(INDEX.as_uri())
    command = ["node", "--input-type=module", "-e", code, service.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    stats = json.loads(done.stdout)
    assert (stats["logged"], stats["received"], stats["rejected"], stats["dropped"]) == (1_001, 1_000, 1, {})
    eventually(lambda: service.count("typescript") == 500 and service.count("typescript", "outcomes") == 500)
    row = service.query("SELECT num, cat, score FROM predictions WHERE model = 'typescript' AND num['x'] = 7")
    assert row == [{"num": {"x": 7}, "cat": {"carrier": "UA", "late": "false"}, "score": 0.5}]

// A client on Node's ws that runs every case of a fuzzing server and echoes what it gets: PORT AGENT.
import { WebSocket } from "ws";

const [port, agent] = process.argv.slice(2);
const open = (path, echo) =>
  new Promise((resolve) => {
    let last;
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: true, maxPayload: 1 << 26 });
    socket.on("message", (data, binary) => { last = data; if (echo) socket.send(data, { binary }); });
    socket.on("error", () => {});
    socket.on("close", () => resolve(String(last)));
  });
const count = Number(await open("/getCaseCount", false));
for (let i = 1; i <= count; i++) await open(`/runCase?case=${i}&agent=${agent}`, true);
await open(`/updateReports?agent=${agent}`, false);

// Headless Chromium, in which a page runs every case of a fuzzing server and echoes what it gets: PORT AGENT.
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const [port, agent] = process.argv.slice(2);
const site = http.createServer((_, response) => {
  response.writeHead(200, { "Content-Type": "text/html" });
  response.end("<!doctype html><title>page</title>");
});
await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = browser.pages()[0] ?? (await browser.newPage());
await page.goto(`http://localhost:${site.address().port}/`);
await page.evaluate(async ([port, agent]) => {
  const open = (path, echo) =>
    new Promise((resolve) => {
      let last;
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => { last = data; if (echo) socket.send(data); };
      socket.onclose = () => resolve(last);
    });
  const count = Number(await open("/getCaseCount", false));
  for (let i = 1; i <= count; i++) await open(`/runCase?case=${i}&agent=${agent}`, true);
  await open(`/updateReports?agent=${agent}`, false);
}, [port, agent]);
await browser.close();
site.close();
fs.rmSync(profile, { recursive: true, force: true });

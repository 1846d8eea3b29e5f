"use strict"
const $ = id => document.getElementById(id)
let report = null

// show puts a part in place of what was there; focus and scrolling stay.
function show(name, html) {
  const at = $(name)
  if (!at) return
  const focused = at.contains(document.activeElement) ? document.activeElement.id : ""
  const scrolled = [...at.querySelectorAll(".scroll[id]")].map(e => [e.id, e.scrollLeft])
  at.innerHTML = html
  for (const [id, left] of scrolled) if ($(id)) $(id).scrollLeft = left
  if (focused && $(focused)) $(focused).focus()
  if (name === "state") state(at.querySelector("header"))
}

function state(header) {
  if (!header) return
  const {word, said, over} = header.dataset
  const scenario = header.querySelector(".scenario").textContent
  document.title = word + " " + scenario
  const news = over === "yes" ? header.querySelector("h1").textContent : said
  if (news && $("announcement").textContent !== news) $("announcement").textContent = news
  $("stop").hidden = over === "yes"
  linkReport()
}

// The report outlives the server: it came with the last events.
function linkReport() {
  const link = $("report")
  if (link && report) link.href = report
}

function say(text) {
  $("connection").textContent = text
  $("connection").hidden = text === ""
}

const source = new EventSource("events")
source.addEventListener("open", () => say(""))
source.addEventListener("part", e => {
  const part = JSON.parse(e.data)
  show(part.name, part.html)
})
source.addEventListener("report", e => {
  if (report) URL.revokeObjectURL(report)
  report = URL.createObjectURL(new Blob([JSON.parse(e.data).html], {type: "text/html"}))
  linkReport()
})
source.addEventListener("end", () => {
  source.close()
  const over = document.querySelector("#state header")?.dataset.over === "yes"
  say(over ? "" : "The run ended without a result. The terminal says why.")
  document.body.dataset.ended = "yes"
  for (const b of document.querySelectorAll("button")) b.disabled = true
})
source.addEventListener("error", () => {
  if (source.readyState !== EventSource.CLOSED) say("The run cannot be reached. This page tries again.")
})

// Answers are sent without leaving the page.
document.addEventListener("submit", async e => {
  e.preventDefault()
  if (e.target.id === "stop" && !confirm("Stop the load, mend everything and write the report?")) return
  const buttons = e.target.querySelectorAll("button")
  for (const b of buttons) b.disabled = true
  try {
    const answer = await fetch(e.target.getAttribute("action"), {method: "POST", headers: {"X-Proofload": "page"}})
    if (!answer.ok) throw new Error(await answer.text())
  } catch (err) {
    say("That did not reach the run: " + err.message)
    for (const b of buttons) b.disabled = false
  }
})

state(document.querySelector("#state header"))

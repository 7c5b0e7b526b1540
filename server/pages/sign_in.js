"use strict";

const form = document.querySelector("form");
const { nextUrl, password } = form.elements;
const button = form.querySelector("button");
const problem = form.querySelector(".problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  button.disabled = true;
  const sentence = await signIn();
  if (sentence === null) {
    location.replace(nextUrl.value);
    return;
  }
  button.disabled = false;
  problem.textContent = sentence;
  password.select();
});

/** Null, or why it did not work. */
async function signIn() {
  try {
    const body = new URLSearchParams(new FormData(form));
    // Success is a redirect: it says all, and the page behind it is not wanted yet.
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    return response.type === "opaqueredirect" ? null : (await response.json()).message;
  } catch {
    return "The server didn't answer. Please try again.";
  }
}

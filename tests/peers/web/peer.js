// A participant on livekit-client, for `browser.py`, which calls the functions of `peer` and gets its events through `say`.

const L = LivekitClient;
const RATE = 48000;
const COUNTER_BITS = 20; // of the number in a picture, in black and white cells: as in livekit_trio/testing/_media.py
const CHECK_BITS = 4;

let room = null;
let audio = null; // the AudioContext of all tones
const tracks = {}; // what we publish, by SID
const pictures = {}; // frame counters seen, by identity
const dataTracks = {};

function toText(bytes) {
  return new TextDecoder().decode(bytes);
}

function toBase64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function joinBytes(chunks) {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function watchRoom() {
  const on = (name, told) => room.on(name, (...args) => say(told(...args)));
  on(L.RoomEvent.ParticipantConnected, (who) => ({ event: "participant_connected", identity: who.identity }));
  on(L.RoomEvent.ParticipantDisconnected, (who) => ({ event: "participant_disconnected", identity: who.identity }));
  on(L.RoomEvent.TrackSubscribed, (track, publication, who) => ({
    event: "track_subscribed", identity: who.identity, sid: publication.trackSid, kind: track.kind,
  }));
  on(L.RoomEvent.TrackUnsubscribed, (track, publication, who) => ({
    event: "track_unsubscribed", identity: who.identity, sid: publication.trackSid, kind: track.kind,
  }));
  on(L.RoomEvent.LocalTrackSubscribed, (publication) => ({ event: "local_track_subscribed", sid: publication.trackSid }));
  on(L.RoomEvent.DataReceived, (data, who, kind, topic) => ({
    event: "data_received", data: toBase64(data), topic: topic ?? "", sender: who ? who.identity : null,
    reliable: kind === L.DataPacket_Kind.RELIABLE,
  }));
  on(L.RoomEvent.ChatMessage, (message, who) => ({ event: "chat", text: message.message, sender: who && who.identity }));
  on(L.RoomEvent.SipDTMFReceived, (tone, who) => ({ event: "dtmf", digit: tone.digit, code: tone.code, sender: who && who.identity }));
  on(L.RoomEvent.TranscriptionReceived, (segments, who) => ({
    event: "transcription", texts: segments.map((segment) => segment.text), sender: who && who.identity,
  }));
  on(L.RoomEvent.EncryptionError, (error) => ({ event: "encryption_error", text: String(error) }));
  on(L.RoomEvent.Reconnecting, () => ({ event: "reconnecting" }));
  on(L.RoomEvent.Reconnected, () => ({ event: "reconnected" }));
  on(L.RoomEvent.Disconnected, (reason) => ({ event: "disconnected", reason }));
}

function remoteTrack(identity, kind) {
  const who = room.remoteParticipants.get(identity);
  const found = [...who.trackPublications.values()].find((publication) => publication.kind === kind && publication.track);
  if (!found) throw new Error(`no ${kind} of ${identity}`);
  return found.track;
}

async function statsOf(track, type) {
  const report = await track.getRTCStatsReport();
  const entries = [...report.values()];
  const found = entries.filter((entry) => entry.type === type);
  for (const entry of found) {
    const codec = entries.find((other) => other.id === entry.codecId);
    entry.mimeType = codec ? codec.mimeType : null;
  }
  return found;
}

function withCheck(counter) {
  const bits = Array.from({ length: COUNTER_BITS }, (_, place) => (counter >> place) & 1);
  let check = 5;
  for (let shift = 0; shift < COUNTER_BITS; shift += 4) check += ((counter >> shift) & 15) * (shift / 4 + 1);
  return bits.concat(Array.from({ length: CHECK_BITS }, (_, place) => (check >> place) & 1));
}

function cells(width, height) {
  const count = COUNTER_BITS + CHECK_BITS;
  const top = height - Math.floor(height / 4);
  return { top, edges: Array.from({ length: count + 1 }, (_, place) => Math.floor((width * place) / count)) };
}

// The number in a picture; null if it cannot be read.
function readCounter(context, width, height) {
  const { top, edges } = cells(width, height);
  const row = context.getImageData(0, top + Math.floor((height - top) / 2), width, 1).data;
  const bits = [];
  for (let cell = 0; cell + 1 < edges.length; cell++) {
    const level = row[4 * Math.floor((edges[cell] + edges[cell + 1]) / 2) + 1];
    if (Math.abs(level - 127) < 40) return null;
    bits.push(level > 127 ? 1 : 0);
  }
  const counter = bits.slice(0, COUNTER_BITS).reduce((sum, bit, place) => sum + bit * 2 ** place, 0);
  return withCheck(counter).every((bit, place) => bit === bits[place]) ? counter : null;
}

function drawCounter(context, counter, width, height) {
  const { top, edges } = cells(width, height);
  withCheck(counter).forEach((bit, cell) => {
    context.fillStyle = bit ? "#fff" : "#000";
    context.fillRect(edges[cell], top, edges[cell + 1] - edges[cell], height - top);
  });
}

window.peer = {
  async join({ url, token, key = null, adaptive_stream = false, dynacast = false }) {
    const options = { adaptiveStream: adaptive_stream, dynacast };
    if (key !== null) {
      const keyProvider = new L.ExternalE2EEKeyProvider();
      options.encryption = { keyProvider, worker: new Worker("/livekit-client/livekit-client.e2ee.worker.js") };
      await keyProvider.setKey(key);
    }
    room = window.room = new L.Room(options);
    watchRoom();
    if (key !== null) await room.setE2EEEnabled(true);
    await room.connect(url, token);
    return room.localParticipant.sid;
  },

  async leave() {
    await room.disconnect();
  },

  async state_of({ identity }) {
    const who = room.remoteParticipants.get(identity);
    return who === undefined ? null : who.isActive ? "active" : "joining";
  },

  async publish_audio({ name = "tone", hz = 440 }) {
    audio ??= new AudioContext({ sampleRate: RATE });
    await audio.resume();
    const tone = new OscillatorNode(audio, { frequency: hz });
    const out = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
    tone.connect(new GainNode(audio, { gain: 0.5 })).connect(out);
    tone.start();
    const options = { name, source: L.Track.Source.Microphone, dtx: false };
    const publication = await room.localParticipant.publishTrack(out.stream.getAudioTracks()[0], options);
    tracks[publication.trackSid] = publication;
    return publication.trackSid;
  },

  async publish_video({ name = "card", width = 640, height = 360, codec = "vp8", simulcast = true, fps = 15 }) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    const writer = generator.writable.getWriter();
    let count = 0;
    const timer = setInterval(async () => {
      context.fillStyle = `hsl(${(count * 3) % 360} 60% 40%)`;
      context.fillRect(0, 0, width, height);
      drawCounter(context, count, width, height);
      const frame = new VideoFrame(canvas, { timestamp: performance.now() * 1000 });
      count += 1;
      try {
        await writer.write(frame);
      } catch {
        clearInterval(timer);
      }
    }, 1000 / fps);
    const options = { name, source: L.Track.Source.Camera, videoCodec: codec, simulcast, backupCodec: false };
    const publication = await room.localParticipant.publishTrack(generator, options);
    tracks[publication.trackSid] = publication;
    return publication.trackSid;
  },

  async unpublish({ sid }) {
    await room.localParticipant.unpublishTrack(tracks[sid].track);
  },

  async mute({ sid, muted }) {
    await (muted ? tracks[sid].mute() : tracks[sid].unmute());
  },

  // The loudest frequency of somebody's audio, over *seconds*, with its level (0 to 1).
  async hear({ identity, seconds = 1 }) {
    audio ??= new AudioContext({ sampleRate: RATE });
    await audio.resume();
    const stream = new MediaStream([remoteTrack(identity, "audio").mediaStreamTrack]);
    // Chromium gives a remote stream to WebAudio only while an element plays it.
    const element = new Audio();
    element.srcObject = stream;
    element.muted = true;
    await element.play();
    const source = new MediaStreamAudioSourceNode(audio, { mediaStream: stream });
    const analyser = new AnalyserNode(audio, { fftSize: 32768, smoothingTimeConstant: 0 });
    source.connect(analyser);
    await new Promise((done) => setTimeout(done, seconds * 1000));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const wave = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(wave);
    source.disconnect();
    element.pause();
    const best = bins.indexOf(Math.max(...bins));
    return { hz: (best * RATE) / analyser.fftSize, level: Math.max(...wave.map(Math.abs)) };
  },

  // The frame counters in somebody's video, over *seconds*, with its size and codec.
  async see({ identity, seconds = 2 }) {
    const track = remoteTrack(identity, "video");
    const element = document.createElement("video");
    element.muted = true;
    track.attach(element);
    document.body.append(element);
    const counters = [];
    const canvas = new OffscreenCanvas(1, 1);
    let context = null;
    let over = false;
    const look = () => {
      if (over) return;
      if (element.videoWidth) {
        if (canvas.width !== element.videoWidth || canvas.height !== element.videoHeight || context === null) {
          canvas.width = element.videoWidth;
          canvas.height = element.videoHeight;
          context = canvas.getContext("2d", { willReadFrequently: true });
        }
        context.drawImage(element, 0, 0);
        counters.push(readCounter(context, canvas.width, canvas.height));
      }
      element.requestVideoFrameCallback(look);
    };
    element.requestVideoFrameCallback(look);
    element.play().catch(() => {}); // it waits for a first picture, which may not come
    await new Promise((done) => setTimeout(done, seconds * 1000));
    over = true;
    const size = [element.videoWidth, element.videoHeight];
    const [inbound] = await statsOf(track, "inbound-rtp");
    track.detach(element);
    element.remove();
    return { counters, size, mime_type: inbound ? inbound.mimeType : null, decoded: inbound ? inbound.framesDecoded : 0 };
  },

  // Play somebody's video in the corner of the page, until the page closes.
  async show({ identity }) {
    const element = remoteTrack(identity, "video").attach();
    element.muted = true;
    element.style = "position: fixed; top: 0; left: 0";
    document.body.append(element);
    await new Promise((done) => element.requestVideoFrameCallback(done));
  },

  async send_data({ data, topic = "", reliable = true, to = [] }) {
    await room.localParticipant.publishData(fromBase64(data), { reliable, topic, destinationIdentities: to });
  },

  async send_dtmf({ code, digit }) {
    await room.localParticipant.publishDtmf(code, digit);
  },

  async send_chat({ text }) {
    return (await room.localParticipant.sendChatMessage(text)).id;
  },

  // Tell of each text stream of *topic* once it is whole; long ones by digest only.
  async accept_text({ topic }) {
    room.registerTextStreamHandler(topic, async (reader, who) => {
      const text = await reader.readAll();
      const bytes = new TextEncoder().encode(text);
      say({
        event: "text", topic, sender: who.identity, size: bytes.length, digest: await digest(bytes),
        text: bytes.length > 1000 ? null : text, attributes: reader.info.attributes ?? {}, id: reader.info.id,
      });
    });
  },

  async accept_bytes({ topic }) {
    room.registerByteStreamHandler(topic, async (reader, who) => {
      const bytes = joinBytes(await reader.readAll());
      say({
        event: "bytes", topic, sender: who.identity, size: bytes.length, digest: await digest(bytes),
        name: reader.info.name, mime_type: reader.info.mimeType, attributes: reader.info.attributes ?? {},
      });
    });
  },

  async send_text({ text, topic, to = [], attributes = {} }) {
    return (await room.localParticipant.sendText(text, { topic, destinationIdentities: to, attributes })).id;
  },

  // Repeats *data* until there are *size* bytes.
  async send_bytes({ data, size, topic, name = "file" }) {
    const part = fromBase64(data);
    const whole = Uint8Array.from({ length: size }, (_, index) => part[index % part.length]);
    await room.localParticipant.sendFile(new File([whole], name), { topic });
    return digest(whole);
  },

  // Answers with the payload turned round.
  async serve_rpc({ method }) {
    room.registerRpcMethod(method, async (call) => {
      if (call.payload.startsWith("fail:")) throw new L.RpcError(1234, call.payload.slice(5), "facts");
      return [...call.payload].reverse().join("");
    });
  },

  async perform_rpc({ to, method, payload }) {
    try {
      return { response: await room.localParticipant.performRpc({ destinationIdentity: to, method, payload }) };
    } catch (error) {
      return { code: error.code, message: error.message, data: error.data ?? "" };
    }
  },

  async publish_data_track({ name }) {
    const track = await room.localParticipant.publishDataTrack({ name });
    dataTracks[name] = track;
    return track.info.sid;
  },

  async push_data_track({ name, data }) {
    dataTracks[name].tryPush({ payload: fromBase64(data) });
  },

  async watch_data_track({ identity, name }) {
    const who = room.remoteParticipants.get(identity);
    const track = await who.dataTracks.getDeferred(name);
    const reader = track.subscribe().getReader();
    (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        say({ event: "data_track_frame", name, data: toBase64(value.payload) });
      }
      say({ event: "data_track_ended", name });
    })();
  },
};

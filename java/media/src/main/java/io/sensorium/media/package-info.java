/** Pictures and sound from untrusted files: sizes are checked before anything is allocated. */
package io.sensorium.media;

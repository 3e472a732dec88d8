/** Text to token ids by the tokenizer.json of a published model. */
package io.sensorium.text;

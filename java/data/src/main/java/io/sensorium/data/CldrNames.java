package io.sensorium.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** The short names (type "tts") of characters in a CLDR annotations file, in its order. */
final class CldrNames {
    private CldrNames() {}

    static Map<String, String> read(Path file) throws IOException {
        XMLInputFactory factory = XMLInputFactory.newFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        Map<String, String> names = new LinkedHashMap<>();
        try (InputStream in = Files.newInputStream(file)) {
            XMLStreamReader reader = factory.createXMLStreamReader(in);
            while (reader.hasNext()) {
                if (reader.next() == XMLStreamReader.START_ELEMENT
                        && reader.getLocalName().equals("annotation")
                        && "tts".equals(reader.getAttributeValue(null, "type"))) {
                    String characters = reader.getAttributeValue(null, "cp");
                    names.put(characters, reader.getElementText().strip());
                }
            }
        } catch (XMLStreamException e) {
            throw new DataException(file + ": " + e.getMessage(), e);
        }
        return names;
    }
}

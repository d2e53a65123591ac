"""Lists of names. They are uncommon: none is a clinical or an everyday word (see `identities`)."""

SURNAMES = (
    "Abernethy", "Achterberg", "Adeyeminka", "Bhattacharjee", "Bjornstad", "Castellanos", "Czerwinska",
    "Dhaliwalia", "Eszterhazy", "Featherstonhaugh", "Ghebremariam", "Haugland", "Iwanickova", "Jankowiak",
    "Kowalczyk", "Lindqvist", "Mbathani", "Nakamurata", "Okonkwoson", "Papadimitriou", "Quintanilla",
    "Raghunathan", "Szymborska", "Tchaikovich", "Uchendume", "Vandersloot", "Wojciechowski", "Xanthopoulou",
    "Yevtushkova", "Zubizarreta", "Åkerström", "Müllenhoff", "Peñaranda", "Grønbech", "Lévesque",
)  # fmt: skip
GIVEN_F = (
    "Ottoline", "Anneliese", "Kazimiera", "Seraphine", "Philippa", "Rosalinde", "Theodosia", "Wilhelmina",
    "Anastazja", "Thandeka",
)  # fmt: skip
GIVEN_M = (
    "Thaddeus", "Bartholomew", "Kazimierz", "Leopoldo", "Cornelius", "Ferdinand", "Osvaldo", "Ignatius",
    "Zbigniew", "Chukwuemeka",
)  # fmt: skip
CYRILLIC = (("Иваненко", "Всеволод"), ("Кузнецовский", "Станислав"), ("Щербакова", "Людмила"))
# surname and given name in letters, then in ideographs
JAPANESE = (("Yamanoue", "Tarouemon", "山之上", "太郎右衛門"), ("Kiriyamada", "Hanakoemi", "桐山田", "花子笑美"))
DOCTORS = (
    "Ashgrovely", "Brankovich", "Cholmondeley", "Dembinska", "Ellingsworth", "Fotheringay", "Gyllenhaal",
    "Hrabovsky", "Isherwoode", "Jagielka", "Krzeminski", "Llewellynson", "Mordaunte", "Nieuwenhuis", "Oyelaran",
    "Przybylski", "Rautavaara", "Sivasubramanian", "Trelawney", "Vukovicova",
)  # fmt: skip
HOSPITALS = (
    ("Hollowmere Regional Infirmary", "Hollowmere"),
    ("St. Wilfrith's Hospital", "Eastwyckham"),
    ("Thornquist Memorial Clinic", "Port Thornquist"),
    ("Ravensbourne-Ashdell Medical Centre", "Ashdellford"),
)  # and their towns
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
